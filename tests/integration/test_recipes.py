"""Every recipe and every ablation makes a valid config."""

from pathlib import Path

import pytest
import yaml

from framesweep.config import RunConfig
from framesweep.config.composition import compose, register
from framesweep.config.groups import find_conf
from framesweep.config.plain import flatten
from framesweep.models.build import NetworkBuilder
from framesweep.runs.validation import validate_across_groups

register()
RECIPES = sorted(path.stem for path in (find_conf() / "recipe").glob("*.yaml"))
ABLATIONS = sorted(path.stem for path in (find_conf() / "ablation").glob("*.yaml"))


def validate(config: RunConfig) -> None:
    validate_across_groups(config)
    NetworkBuilder(config.model, config.data.context)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_composes(recipe):
    validate(compose([f"recipe={recipe}"]))


@pytest.mark.parametrize("ablation", [name for name in ABLATIONS if name != "none"])
def test_ablations_change_what_they_say_and_no_more(ablation):
    path: Path = find_conf() / "ablation" / f"{ablation}.yaml"
    said = yaml.safe_load(path.read_text())
    said.pop("defaults", None)
    before, config = (
        flatten(compose(["recipe=quick"])),
        compose(["recipe=quick", f"ablation={ablation}"]),
    )
    validate(config)
    after = flatten(config)
    changed = {key for key in after if before.get(key) != after[key]}
    named = {
        f"{group}.{key}": value for group, keys in said.items() for key, value in keys.items()
    }
    assert all(after[key] == value for key, value in named.items())
    assert changed
    if ablation != "muon":  # another optimizer brings keys of its own
        assert changed <= set(named)


def test_the_ablation_tries_every_ablation():
    sweep = yaml.safe_load((find_conf() / "sweep" / "ablation.yaml").read_text())
    params = sweep["hydra"]["sweeper"]
    ablations = (
        params["params"]["ablation"].removeprefix("choice(").removesuffix(")").split(",")
    )
    assert sorted(ablation.strip() for ablation in ablations) == ABLATIONS
    assert params["n_trials"] == 3 * len(ABLATIONS)


@pytest.mark.parametrize("other", [[], ["recipe=quick"], ["sweep=ablation"]])
@pytest.mark.parametrize("ablation", ABLATIONS)
def test_the_earlier_name_of_the_group_still_works(ablation, other):
    assert compose([f"lever={ablation}", *other]) == compose([f"ablation={ablation}", *other])
