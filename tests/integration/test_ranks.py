"""A run of several processes against the same run of one."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from forked import in_ranks
from framesweep.distributed.collectives import SINGLE_PROCESS
from framesweep.errors import Interrupted
from framesweep.runs.experiment import build_experiment
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import BEST, LAST, Checkpoints, NoCheckpoints
from framesweep.training.loop import fit

RUN = [
    "data=hw1p2",
    "data.context=2",
    "train.epochs=3",
    "train.batch_size=33",  # of 100 frames: the last batch is a single one
    "hardware=cpu",
    "hardware.precision=fp32",
    "hardware.threads=1",
    "tracking=none",
    # Large steps would amplify that several processes add up gradients in another order.
    "model=base",
    "optim=adam",
]
SMALL = "model.widths=[16,16]"
VARIANTS = {
    "plain": [SMALL],
    "all": [
        SMALL,
        "augment=specaugment",
        "augment.noise=0.1",
        "train.average=ema",
        "optim.schedule=onecycle",
        "optim.class_weights=sqrt",
        "optim.label_smoothing=0.1",
        "optim.clip_norm=0.5",
        "model.residual=true",
    ],
    "muon": [
        *("optim=muon", "optim.adam_lr=1e-3", "optim.schedule=constant"),
        *("model.widths=[16,16,16]", "model.norm=layer"),
    ],
    "plateau": [SMALL, "optim.schedule=plateau", "train.patience=1", "train.average=swa"],
    "tdnn": [
        "model=tdnn",
        "model.channels=8",
        "model.dilations=[1,1]",
        "model.run_frames=7",
        "model.stride=2",
        "augment=specaugment",
        "augment.tempo=0.5",
        "optim.class_weights=sqrt",
    ],
    "lstm": [
        "model=lstm",
        "model.width=8",
        "model.layers=2",
        "model.conv_channels=[4]",
        "model.chunk_frames=9",
        "augment=specaugment",
        "augment.tempo=0.3",
        "augment.noise=0.1",
    ],
    "a chunk per batch": [  # so that all ranks but one have none
        "model=lstm",
        "model.width=8",
        "model.layers=1",
        "model.conv_channels=[]",
        "model.chunk_frames=9",
        "train.batch_size=9",
        "augment.tempo=0.3",
    ],
    "ligru": [
        "model=ligru",
        "model.width=8",
        "model.layers=1",
        "model.conv_channels=[]",
        "model.chunk_frames=9",
    ],
    "conv": [SMALL, "model.conv_channels=[8]", "model.conv_kernel=3", "model.conv_dropout=0.1"],
}


class Stop(NoOpCallback):
    """A callback that asks to stop after some steps and records the epochs' metrics."""

    def __init__(self, steps):
        self.steps, self.epochs = steps, []

    def on_restore(self, history):
        self.epochs = list(history)

    def on_step(self, epoch, step, num_steps):
        self.steps -= 1

    def on_epoch(self, epoch, metrics, *, is_last):
        self.epochs.append(metrics)

    def stop_signal(self):
        return 15 if self.steps == 0 else 0


def trained(process_group, config, folder, steps):
    """Epochs' metrics of `config` in `folder`; the first rank stops all after so many steps."""
    experiment = build_experiment(config, process_group)
    process_group.init(torch.device("cpu"))
    first = process_group.rank == 0
    checkpoints = Checkpoints(Path(folder), "x") if first else NoCheckpoints()
    callback = Stop(steps if first else -1)
    components, dev = experiment.components, experiment.dev_metrics
    with suppress(Interrupted):
        fit(components, experiment.train, dev, experiment.plan, checkpoints, callback)
    process_group.barrier()
    process_group.destroy()
    return callback.epochs


def same(folder, other):
    """Whether weights and all else in two folders' checkpoints agree up to rounding."""
    one, two = (load_file(path / BEST) for path in (folder, other))
    for name, tensor in one.items():
        np.testing.assert_allclose(two[name], tensor, rtol=2e-3, atol=2e-4, err_msg=name)
    one, two = (torch.load(path / LAST, weights_only=True) for path in (folder, other))
    assert torch.equal(one["rng"]["cpu"], two["rng"]["cpu"])
    assert one["schedule"] == pytest.approx(two["schedule"])


def timeless(epochs):
    return [
        {name: value for name, value in metrics.items() if "per_second" not in name}
        for metrics in epochs
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_several_ranks_train_the_same_network_as_one_process(
    compose, hw1p2_root, tmp_path, variant
):
    config = compose(*RUN, f"data.root={hw1p2_root}", *VARIANTS[variant])
    expected = timeless(trained(SINGLE_PROCESS, config, tmp_path / "one", -1))
    outcomes = in_ranks(3, trained, config, str(tmp_path / "three"), -1)
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert len(expected) == len(outcomes[0])
    for metrics, alone in zip(timeless(outcomes[0]), expected, strict=True):
        assert metrics == pytest.approx(alone, rel=1e-3, abs=0.011)  # a frame of 100 may flip
    same(tmp_path / "one", tmp_path / "three")


def test_a_run_can_be_resumed_with_another_number_of_ranks(compose, hw1p2_root, tmp_path):
    config = compose(*RUN, f"data.root={hw1p2_root}", *VARIANTS["all"])
    whole = timeless(trained(SINGLE_PROCESS, config, tmp_path / "whole", -1))
    folder = tmp_path / "parts"
    trained(SINGLE_PROCESS, config, folder, 2)
    in_ranks(3, trained, config, str(folder), 3)
    rest, _ = in_ranks(2, trained, config, str(folder), -1)
    assert len(rest) == len(whole)
    for metrics, expected in zip(timeless(rest), whole, strict=True):
        assert metrics == pytest.approx(expected, rel=1e-3, abs=0.011)
    same(tmp_path / "whole", folder)
