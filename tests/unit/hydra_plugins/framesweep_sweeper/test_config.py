import inspect
from dataclasses import fields

import pytest
from hydra.core.config_store import ConfigStore

from hydra_plugins.framesweep_sweeper.config import PRUNERS, FramesweepSweeperConf
from hydra_plugins.framesweep_sweeper.sweeper import FramesweepSweeper
from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf


def find_class(target):
    module, _, name = target.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def test_the_sweeper_and_its_pruners_can_be_selected_in_hydra():
    store = ConfigStore.instance()
    assert "framesweep.yaml" in store.list("hydra/sweeper")
    names = {f"{name}.yaml" for name in PRUNERS}
    assert names <= set(store.list("hydra/sweeper/pruner"))


def test_the_target_of_saved_configs_is_the_sweeper():
    assert find_class(FramesweepSweeperConf._target_) is FramesweepSweeper


@pytest.mark.parametrize("name", PRUNERS)
def test_a_pruners_fields_are_arguments_of_its_class_with_the_same_defaults(name):
    schema = PRUNERS[name]
    arguments = inspect.signature(find_class(schema._target_)).parameters
    for field in fields(schema):
        if field.name == "_target_":
            continue
        default = arguments[field.name].default
        assert default in (inspect.Parameter.empty, field.default), field.name


def test_settings_that_the_stock_sweeper_has_keep_their_names():
    ours = {field.name for field in fields(FramesweepSweeperConf)}
    theirs = {field.name for field in fields(OptunaSweeperConf)}
    assert theirs <= ours
