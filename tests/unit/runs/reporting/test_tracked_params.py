"""The params of a run that are tracked."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from configs import compose
from framesweep.config.composition import register
from framesweep.config.plain import flatten
from framesweep.runs.reporting.tracked_params import derived_params, select_params
from framesweep.sweeps.context import SweepContext

register()


def experiment(*overrides: str) -> Any:
    hardware = SimpleNamespace(precision="fp32", device=torch.device("cpu"))
    group = SimpleNamespace(size=2)
    return SimpleNamespace(
        config=compose(list(overrides)),
        widths=(8, 4),
        num_params=123,
        components=SimpleNamespace(hardware=hardware, process_group=group),
    )


def test_a_default_run_has_as_many_params_as_a_person_reads():
    one = experiment()
    params = select_params(one, SweepContext())
    assert len(params) < 25 < len(flatten(one.config))
    assert params["data.context"] == one.config.data.context
    assert (params["data"], params["model"], params["optim"]) == ("demo", "conv_small", "adamw")
    assert params["augment"] == "none"
    assert "augment" not in select_params(experiment("augment.gain=0.5"), SweepContext())


def test_changed_and_swept_keys_are_added():
    one = experiment("optim.beta1=0.5", "train.ema_decay=0.9")
    params = select_params(one, SweepContext(swept={"augment.shift": 0, "model": "base"}))
    assert params["optim.beta1"] == 0.5
    assert params["train.ema_decay"] == 0.9
    assert params["augment.shift"] == 0


@pytest.mark.parametrize("key", ["outputs", "tracking.uri", "data.cache"])
def test_keys_that_cannot_change_a_result_are_left_out(key):
    assert key not in select_params(experiment(f"{key}=elsewhere"), SweepContext())


def test_what_is_derived_comes_from_the_network_and_the_machine():
    assert derived_params(experiment()) == {
        "derived.widths": [8, 4],
        "derived.num_params": 123,
        "derived.device": "cpu",
        "derived.precision": "fp32",
        "derived.processes": 2,
    }
