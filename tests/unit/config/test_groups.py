"""Groups in conf/, and the ones that have been renamed."""

import pytest

from framesweep.config import SCHEMAS, AdamConfig, groups
from framesweep.config.groups import (
    RENAMED_GROUPS,
    default_options,
    describe_groups,
    describe_options,
    find_conf,
    option_groups,
    options_without_file,
    rename_warnings,
)


def test_every_file_in_conf_is_an_option_of_its_group():
    groups = option_groups()
    assert groups["tracking"] == ["mlflow", "none"]
    assert {path.name for path in find_conf().iterdir() if path.is_dir()} - {"hydra"} == set(
        groups
    )


def test_the_description_names_every_option_in_80_columns():
    lines = describe_groups().splitlines()
    assert max(map(len, lines)) <= 80
    words = set(" ".join(lines).replace(",", " ").split())
    assert {option for options in option_groups().values() for option in options} <= words


def test_what_each_recipe_is_for_is_described_in_80_columns():
    text = describe_options("recipe")
    assert max(map(len, text.splitlines())) <= 80
    assert [line.split()[0] for line in text.splitlines() if line[2] != " "] == option_groups()[
        "recipe"
    ]
    assert "  quick      The best accuracy in two minutes on two cores" in text


def test_options_that_only_recipes_choose_are_not_listed():
    files = {path.stem for path in (find_conf() / "model").glob("*.yaml")}
    assert {name for name in files if name.startswith("_")} >= {"_few_hours", "_thorough"}
    assert not [
        name for names in option_groups().values() for name in names if name.startswith("_")
    ]


def test_a_renamed_group_is_described_by_its_present_name():
    for earlier, present in RENAMED_GROUPS.items():
        assert present in option_groups()
        assert earlier not in option_groups()


def test_a_warning_says_what_to_type_instead_of_an_earlier_name():
    typed = ["lever=noise", "data.context=5", "+lever=none,ema", "lever.x", "--help"]
    assert list(rename_warnings(typed)) == [
        "lever: has been renamed. Type ablation=noise",
        "+lever: has been renamed. Type +ablation=none,ema",
    ]
    space = ["hydra.sweeper.params.lever='choice(none, ema)'"]
    assert list(rename_warnings(space)) == [
        "hydra.sweeper.params.lever: has been renamed. "
        "Type hydra.sweeper.params.ablation='choice(none, ema)'"
    ]


def test_a_schema_that_no_file_includes_is_an_option_of_its_group(
    monkeypatch: pytest.MonkeyPatch,
):
    alone, options = set(options_without_file()), option_groups()["optim"]
    monkeypatch.setitem(SCHEMAS, "optim", SCHEMAS["optim"] | {"other": AdamConfig})
    assert set(options_without_file()) - alone == {("optim", "other")}
    assert option_groups()["optim"] == sorted([*options, "other"])


def test_the_default_options_are_those_of_a_run_without_arguments(monkeypatch, tmp_path):
    names = {option.group: option.name for option in default_options()}
    assert (names["data"], names["model"], names["optim"]) == ("demo", "conv_small", "adamw")
    monkeypatch.setattr(groups, "find_conf", lambda: tmp_path)
    assert default_options() == []
