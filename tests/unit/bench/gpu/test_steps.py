"""Steps are those of `fit`, over the ends of epochs."""

import torch

from framesweep.bench.gpu.cases import Setup
from framesweep.bench.gpu.steps import flat_weights, take_steps


def test_steps_are_counted_over_epochs_and_change_the_weights(tmp_path):
    setup = Setup("cpu", tmp_path, 100, (16,), steps=1, rounds=1)
    experiment = setup.build("base", {"train.batch_size": 500})
    seen: list[int] = []
    before = flat_weights(experiment)
    # 1,250 frames, which is an utterance, are three steps.
    take_steps(experiment, 6, seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert not torch.equal(flat_weights(experiment), before)
