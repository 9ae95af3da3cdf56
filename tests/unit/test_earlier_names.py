"""Import paths that earlier versions stored lead to where the classes are now."""

import importlib
import pkgutil
import sys

import pytest
from hydra.utils import instantiate

from framesweep import earlier_names
from framesweep.earlier_names import EARLIER_NAMES
from framesweep.evaluation.predictor import Predictor
from framesweep.sweeps.search_parent import SearchParent

NAMES = [(module, name) for module, names in EARLIER_NAMES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_an_earlier_name_gives_the_object_that_is_elsewhere_now(module, name):
    current = pkgutil.resolve_name(EARLIER_NAMES[module][name])
    assert getattr(importlib.import_module(module), name) is current


def test_a_logged_models_predictor_is_found():
    assert pkgutil.resolve_name("framesweep.prediction:Predictor") is Predictor


def test_hydra_builds_a_target_that_is_named_as_earlier():
    target = "framesweep.sweeps.listener.SweepListener"
    listener = instantiate({"_target_": target}, _execution_whitelist_="framesweep.sweeps.*")
    assert type(listener) is SearchParent


def test_what_never_existed_cannot_be_imported():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("framesweep.predictions")
    with pytest.raises(AttributeError):
        pkgutil.resolve_name("framesweep.prediction:Prophet")


def test_no_module_exists_under_an_earlier_name():
    for module in EARLIER_NAMES:
        importlib.import_module(module)
        assert isinstance(sys.modules[module].__loader__, earlier_names.EarlierModules), module


def test_installing_twice_changes_nothing():
    finders = list(sys.meta_path)
    earlier_names.install()
    assert sys.meta_path == finders
