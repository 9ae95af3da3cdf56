import inspect
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

import hydra_plugins.framesweep_sweeper
from hydra_plugins.framesweep_sweeper._pruner_schemas import PRUNERS
from hydra_plugins.framesweep_sweeper.config import (
    FramesweepSweeperConf,
    MultivariateTPESamplerConf,
    PriorTPESamplerConf,
)
from hydra_plugins.framesweep_sweeper.sweeper import FramesweepSweeper
from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf, TPESamplerConfig

README = Path(hydra_plugins.framesweep_sweeper.__file__).parents[1] / "README.md"


def find_class(target):
    module, _, name = target.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def test_the_sweeper_and_its_pruners_can_be_selected_in_hydra():
    store = ConfigStore.instance()
    assert "framesweep.yaml" in store.list("hydra/sweeper")
    names = {f"{name}.yaml" for name in PRUNERS}
    assert names <= set(store.list("hydra/sweeper/pruner"))


def test_multivariate_tpe_has_the_keys_of_tpe_and_differs_in_three_defaults():
    tpe, multivariate = TPESamplerConfig(), MultivariateTPESamplerConf()
    assert "multivariate_tpe.yaml" in ConfigStore.instance().list("hydra/sweeper/sampler")
    names = [f.name for f in fields(tpe)]
    assert [f.name for f in fields(multivariate)] == [*names, "ordered_choices"]
    differing = {
        f.name for f in fields(tpe) if getattr(tpe, f.name) != getattr(multivariate, f.name)
    }
    assert differing == {"multivariate", "group", "constant_liar"}


def test_prior_tpe_is_multivariate_tpe_with_a_prior():
    multivariate, prior = MultivariateTPESamplerConf(), PriorTPESamplerConf()
    assert "prior_tpe.yaml" in ConfigStore.instance().list("hydra/sweeper/sampler")
    assert asdict(prior) == {**asdict(multivariate), "prior_trials": 10}


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


@pytest.mark.parametrize("page", [README, README.parents[2] / "docs" / "sweeps.md"])
def test_the_pages_list_every_pruner(page):
    text = page.read_text(encoding="utf-8")
    (listed,) = re.findall(r"`hydra/sweeper/pruner=?`\s+\((.*?)[:)]", text, re.DOTALL)
    names = re.findall(r"\w+", listed.partition("or default")[0])
    assert sorted(names) == sorted(PRUNERS), (
        f"{page} differs from PRUNERS in _pruner_schemas.py"
    )


def test_the_readme_lists_every_setting_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", README.read_text(), re.MULTILINE)
    listed = {key: yaml.safe_load(default) for key, default in rows}
    conf = OmegaConf.structured(FramesweepSweeperConf)
    defaults = OmegaConf.to_container(conf, resolve=False)
    chosen_by_group = {"_target_", "defaults", "sampler", "pruner"}
    assert listed == {k: v for k, v in defaults.items() if k not in chosen_by_group}
