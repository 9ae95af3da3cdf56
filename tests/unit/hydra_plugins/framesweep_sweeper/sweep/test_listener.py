import types
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep import _listener
from hydra_plugins.framesweep_sweeper.sweep._listener import (
    NoOpListener,
    build_listener,
    check_objectives,
    notify_safely,
)


def make_listener(*names):
    return types.SimpleNamespace(objectives=lambda config: list(names))


def test_without_a_config_the_listener_does_nothing():
    listener = build_listener(None)
    assert isinstance(listener, NoOpListener)
    assert listener.on_start(None, None) is None
    assert listener.on_trial_end(None, None) is None
    assert listener.on_end(None, "FINISHED") is None


def test_the_configs_target_is_built_with_its_fields():
    config = OmegaConf.create({"_target_": "datetime.timedelta", "days": 2})
    built: Any = build_listener(config)
    assert built.days == 2


def test_there_must_be_a_direction_for_each_objective():
    check_objectives(make_listener("accuracy"), "maximize", OmegaConf.create())
    check_objectives(NoOpListener(), ["maximize", "minimize"], OmegaConf.create())
    with pytest.raises(SweepError) as error:
        check_objectives(
            make_listener("accuracy"), ["maximize", "minimize"], OmegaConf.create()
        )
    assert str(error.value) == (
        "hydra.sweeper.direction: must be one for each objective (accuracy); "
        "found maximize, minimize. Give 1"
    )


def test_an_error_of_the_listener_is_logged_and_the_sweep_continues(caplog):
    def fail(*args):
        raise OSError(f"away {args}")

    notify_safely(fail, 1)
    messages = [r.getMessage() for r in caplog.records if r.name == _listener.__name__]
    assert messages == ["the sweep's listener failed (OSError: away (1,))"]
