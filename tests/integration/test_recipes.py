"""Every recipe and every lever makes a config that passes its checks."""

from pathlib import Path

import pytest
import yaml

from framesweep.config.composition import compose, find_conf, flatten, register
from framesweep.runs.validation import check

register()
RECIPES = sorted(path.stem for path in (find_conf() / "recipe").glob("*.yaml"))
LEVERS = sorted(path.stem for path in (find_conf() / "lever").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_compose(recipe):
    check(compose([f"recipe={recipe}"]))


@pytest.mark.parametrize("lever", [name for name in LEVERS if name != "none"])
def test_levers_change_what_they_say_and_no_more(lever):
    path: Path = find_conf() / "lever" / f"{lever}.yaml"
    said = yaml.safe_load(path.read_text())
    said.pop("defaults", None)
    before, config = (
        flatten(compose(["recipe=quick"])),
        compose(["recipe=quick", f"lever={lever}"]),
    )
    check(config)
    after = flatten(config)
    changed = {key for key in after if before.get(key) != after[key]}
    named = {
        f"{group}.{key}": value for group, keys in said.items() for key, value in keys.items()
    }
    assert all(after[key] == value for key, value in named.items())
    assert changed
    if lever != "muon":  # another optimizer brings keys of its own
        assert changed <= set(named)


def test_the_ablation_tries_every_lever():
    sweep = yaml.safe_load((find_conf() / "sweep" / "ablation.yaml").read_text())
    params = sweep["hydra"]["sweeper"]
    levers = params["params"]["lever"].removeprefix("choice(").removesuffix(")").split(",")
    assert sorted(lever.strip() for lever in levers) == LEVERS
    assert params["n_trials"] == 3 * len(LEVERS)
