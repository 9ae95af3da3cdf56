"""Baselines do the work that they claim to do, no less and no more."""

from itertools import pairwise

import pytest
import torch

from framesweep.bench import baselines
from framesweep.bench.corpus import NUM_CLASSES, write_corpus
from framesweep.config import Hw1p2Config
from framesweep.data.readers.hw1p2 import Hw1p2Corpus
from framesweep.system.hardware import Hardware

SIZES = (12, 8, 6, 5)
BATCH = 16
CPU = torch.device("cpu")


def hardware() -> Hardware:
    return Hardware(CPU, "fp32", torch.get_num_threads(), compile=False)


@pytest.mark.parametrize("train", [True, False])
def test_the_upper_bound_multiplies_exactly_what_a_pass_does(train: bool) -> None:
    operations = []

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        operations.append(2 * a.shape[0] * a.shape[1] * b.shape[0])
        return a @ b.t()

    run = baselines.products_alone(SIZES, BATCH, hardware(), product, train=train)
    assert run() == BATCH
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(SIZES))
    expected = 2 * BATCH * weights
    if train:
        expected = 3 * expected - 2 * BATCH * SIZES[0] * SIZES[1]
    assert sum(operations) == expected


def test_all_implementations_of_matmul_agree() -> None:
    a, b = torch.randn(7, 5), torch.randn(3, 5)
    for product in baselines.product_kinds(CPU).values():
        torch.testing.assert_close(product(a, b), a @ b.t())


def test_a_plain_step_reduces_the_loss() -> None:
    torch.manual_seed(0)
    network = baselines.plain_network(SIZES, dropout=0.0)
    step = baselines.plain_step(network, hardware())
    inputs, labels = torch.randn(64, SIZES[0]), torch.randint(SIZES[-1], (64,))
    first = torch.nn.functional.cross_entropy(step(inputs, labels), labels)
    for _ in range(300):
        logits = step(inputs, labels)
    assert torch.nn.functional.cross_entropy(logits, labels) < 0.8 * first


def test_the_python_loop_counts_its_frames() -> None:
    dataset = baselines.FrameDataset(context=1, feature_dim=4, num_classes=5)
    window, label = dataset[10]
    assert torch.equal(window, dataset.rows[10:13].flatten())
    assert label == dataset.labels[11]
    loop = baselines.python_loop(SIZES, dataset, hardware(), batch_size=8, num_batches=3)
    assert loop() == 24


def test_the_random_corpus_can_be_read(tmp_path) -> None:
    root = write_corpus(tmp_path, 2500, feature_dim=4)
    assert write_corpus(tmp_path, 2500, feature_dim=4) == root
    corpus = Hw1p2Corpus(Hw1p2Config(root=str(root)))
    train = list(corpus.utterances("train"))
    assert sum(len(utterance.features) for utterance in train) == 2500
    assert train[0].features.shape[1] == 4
    assert max(int(utterance.labels.max()) for utterance in train) == NUM_CLASSES - 1
    assert sum(len(utterance.features) for utterance in corpus.utterances("dev")) == 1250
