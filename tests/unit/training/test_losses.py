"""Losses against their formulas in NumPy."""

import numpy as np
import pytest
import torch

from framesweep.config import OptimConfig
from framesweep.data.chunks import UNLABELLED
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import SINGLE_PROCESS
from framesweep.training.losses import (
    average_over_batch,
    build_loss,
    build_training_loss,
    compute_class_weights,
)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_cross_entropy_with_smoothed_labels(
    smoothing: float, dtype: torch.dtype
) -> None:
    logits, labels = torch.randn(7, 5).to(dtype), torch.tensor([0, 4, 2, 1, 3, 0, 0])
    config = OptimConfig(label_smoothing=smoothing)
    z = logits.double().numpy()
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    target = np.eye(5)[labels.numpy()] * (1 - smoothing) + smoothing / 5
    each = -(target * log_p).sum(axis=1)
    mean, total = build_loss(config), build_loss(config, reduction="sum")
    assert mean(logits, labels).dtype == torch.float32
    assert mean(logits, labels).item() == pytest.approx(each.mean(), rel=1e-5)
    assert total(logits, labels).item() == pytest.approx(each.sum(), rel=1e-5)


@pytest.mark.parametrize(("kind", "ratio"), [("inverse", 9.0), ("sqrt", 3.0)])
def test_class_weights_favour_rare_phones_and_average_to_one(kind, ratio):
    counts = torch.tensor([900, 100, 0])
    weights = compute_class_weights(OptimConfig(class_weights=kind), counts)
    assert (weights[1] / weights[0]).item() == pytest.approx(ratio, rel=1e-5)
    assert weights[2] == 0
    assert ((weights * counts).sum() / counts.sum()).item() == pytest.approx(1, rel=1e-5)
    assert compute_class_weights(OptimConfig(), counts) is None


def test_a_weighted_loss_is_the_weighted_mean_over_frames():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    each = -torch.log_softmax(logits, 1)[torch.arange(6), labels]
    expected = (each * weights[labels]).sum() / weights[labels].sum()
    found = build_loss(OptimConfig(), weights)(logits, labels)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_the_mean_of_a_summed_loss_leaves_unlabelled_frames_out(weights):
    logits, labels = torch.randn(6, 3), torch.tensor([0, UNLABELLED, 2, 2, UNLABELLED, 0])
    summed = build_loss(OptimConfig(label_smoothing=0.1), weights, reduction="sum")
    found = average_over_batch(summed, weights, SINGLE_PROCESS)(logits, labels)
    expected = build_loss(OptimConfig(label_smoothing=0.1), weights)(logits, labels)
    torch.testing.assert_close(found, expected)


def test_a_batch_without_labels_has_loss_zero():
    loss = average_over_batch(build_loss(OptimConfig(), reduction="sum"), None, SINGLE_PROCESS)
    assert loss(torch.randn(3, 4), torch.full((3,), UNLABELLED)) == 0.0


@pytest.mark.parametrize("padded", [False, True])
def test_the_training_loss_weights_phones_by_the_labels_of_the_split(padded: bool) -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 2], dtype=np.int16)
    split = Split("train", np.zeros((7, 1)), labels, np.array([7]), ("a",), lead=0, gap=0)
    config = OptimConfig(class_weights="inverse")
    loss = build_training_loss(
        config, split, 3, torch.device("cpu"), SINGLE_PROCESS, padded=padded
    )
    weights = compute_class_weights(config, torch.tensor([4, 1, 2]))
    logits, truth = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 0])
    expected = build_loss(config, weights)(logits, truth)
    torch.testing.assert_close(loss(logits, truth), expected)


def test_padding_rows_do_not_count_in_the_training_loss() -> None:
    split = Split("train", np.zeros((1, 1)), None, np.array([1]), ("a",), lead=0, gap=0)
    loss = build_training_loss(
        OptimConfig(), split, 3, torch.device("cpu"), SINGLE_PROCESS, padded=True
    )
    logits, truth = torch.randn(3, 3), torch.tensor([0, 1, UNLABELLED])
    torch.testing.assert_close(loss(logits, truth), loss(logits[:2], truth[:2]))
