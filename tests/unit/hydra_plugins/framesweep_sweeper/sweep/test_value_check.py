"""A value that no trial could have is refused before the study is created."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep._listener import NoOpListener
from hydra_plugins.framesweep_sweeper.sweep._value_check import check_conditions, check_values


class Composer:
    """Composes a config of the overrides alone, and keeps them."""

    def __init__(self):
        self.config_loader = self
        self.composed: list[dict[str, Any]] = []

    def load_sweep_config(self, config, overrides):
        composed = OmegaConf.from_dotlist(overrides)
        if "typo" in composed:
            raise KeyError("typo")
        self.composed.append(dict(composed))
        return composed


class Bounds(NoOpListener):
    """Refuses a wide network, and the combination of SGD with a small one."""

    def validate(self, config):
        if config.width > 100:
            raise ValueError(f"width: must be at most 100; found {config.width}")
        if config.width < 8 and config.optim == "sgd":
            raise ValueError("width: must be at least 8 with SGD")


@pytest.fixture
def check():
    composer: Any = Composer()
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})

    def check(params, listener=None, arguments=()):
        space = read_space(params, list(arguments))
        check_values(composer, config, listener or NoOpListener(), space, None)
        return composer.composed

    return check


def test_each_choice_and_each_bound_is_composed(check):
    composed = check(
        {
            "width": "choice(8, 32)",
            "lr": "interval(0.1, 0.2)",
            "optim": "choice(adam, sgd)",
            "momentum": {"when": "optim=sgd", "space": "interval(0.5, 0.9)"},
        },
        arguments=["seed=3"],
    )
    assert {one["width"] for one in composed} == {8, 32}
    assert {round(one["lr"], 3) for one in composed} == {0.1, 0.2}
    momenta = {round(one["momentum"], 4) for one in composed if "momentum" in one}
    assert momenta >= {0.5004, 0.8996}
    assert all(("momentum" in one) == (one["optim"] == "sgd") for one in composed)
    assert all(one["seed"] == 3 for one in composed)


def test_a_key_that_does_not_exist_is_refused(check):
    with pytest.raises(KeyError, match="typo"):
        check({"width": "choice(8, 32)", "typo": "choice(1, 2)"})


@pytest.mark.parametrize(
    "sweep", ["choice(8, 101)", "choice(101, 8)", "range(8, 102)", "interval(8.0, 200.0)"]
)
def test_a_value_that_the_application_refuses_is_refused(check, sweep):
    with pytest.raises(ValueError, match="width: must be at most 100"):
        check({"width": sweep, "optim": "choice(adam, sgd)"}, Bounds())


@pytest.mark.parametrize("space", ["interval(8.0, 200.0)", "tag(log, interval(101, 200))"])
def test_the_end_of_the_interval_is_named_and_not_the_value_that_was_tried(check, space):
    end = "101.0" if "101" in space else "200.0"
    with pytest.raises(ValueError, match=rf"^width: must be at most 100; found {end}$"):
        check({"lr": "interval(0.1, 0.2)", "width": space}, Bounds())


def test_values_that_only_do_not_fit_each_other_are_left_to_the_trials(check):
    check({"width": "choice(4, 8)", "optim": "choice(sgd, adam)"}, Bounds())


def test_the_bound_of_a_continuous_key_may_be_outside_of_its_range(check):
    composed = check({"width": "interval(8.0, 100.0001)"}, Bounds())
    assert max(one["width"] for one in composed) < 100


NESTED = OmegaConf.create(
    {
        "optim": {"name": "sgd", "lr": "???", "decay": None},
        "hydra": {"runtime": {"choices": {"model": "mlp", "optim": "sgd"}}},
    }
)


@pytest.mark.parametrize(
    "key",
    ["model", "optim", "optim.name", "optim.lr", "optim.decay", "width", "added", "fixed"],
)
def test_a_condition_is_on_any_key_that_exists(key):
    params: dict[str, Any] = {"width": "choice(1, 2)", "+added": "choice(1, 2)"}
    params["depth"] = {"when": f"{key}=1", "space": "choice(1, 2)"}
    check_conditions(read_space(params, ["+fixed=1"]), NESTED)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("modle", ". Type model"),
        ("optim.nmae", ". Type optim.name"),
        ("widht", ". Type width"),
        ("elsewhere.a", ""),
    ],
)
def test_a_condition_on_a_key_that_does_not_exist_is_refused(key, fix):
    params = {"width": "choice(1, 2)", "depth": {"when": f"{key}=1", "space": "choice(1, 2)"}}
    with pytest.raises(SweepError) as caught:
        check_conditions(read_space(params, []), NESTED)
    assert str(caught.value) == (
        "hydra.sweeper.params.depth.when: must name a key of the config or of the search; "
        f"found {key}{fix}"
    )
