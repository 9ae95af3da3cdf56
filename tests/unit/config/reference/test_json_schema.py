"""The JSON schema accepts every config that Hydra composes, and rejects typing errors."""

import re

import hydra
import pytest
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf

from framesweep.config import SCHEMAS
from framesweep.config.composition import register
from framesweep.config.groups import find_conf, option_groups
from framesweep.config.reference.json_schema import build_json_schema
from framesweep.config.reference.key_pages import INTRODUCTION
from framesweep.errors import ConfigError

register()

GROUPS = option_groups()
TOGETHER = [group for group in SCHEMAS if group != "data"]
"""Groups whose options can be composed together, which is faster than one by one."""
CHOICES = [
    *([f"data={name}", "data.root=/x"] for name in GROUPS["data"]),
    *(
        [f"{group}={name}"]
        for group in ("recipe", "ablation", "sweep")
        for name in GROUPS[group]
    ),
    *(
        [f"{group}={names[i % len(names)]}" for group in TOGETHER if (names := GROUPS[group])]
        for i in range(max(len(GROUPS[group]) for group in TOGETHER))
    ),
]
FILES = sorted(find_conf().glob("*/*.yaml"))


@pytest.fixture(scope="module")
def validators():
    """The validator of whole configs, and of each group's files by its name."""
    schemas = {group: build_json_schema(group) for group in ("", *SCHEMAS)}
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    return {group: Draft202012Validator(schema) for group, schema in schemas.items()}


def compose(*overrides):
    """The config as plain values, as `--cfg job` prints it."""
    with hydra.initialize_config_dir(str(find_conf())):
        config = hydra.compose("config", list(overrides))
    return OmegaConf.to_container(config, enum_to_str=True)


@pytest.mark.parametrize("overrides", CHOICES, ids=" ".join)
def test_the_config_of_every_option_is_valid(validators, overrides):
    found = validators[""].iter_errors(compose(*overrides))
    assert [error.message for error in found] == []


def test_every_option_is_composed_above():
    chosen = {override for overrides in CHOICES for override in overrides}
    assert {f"{group}={name}" for group, names in GROUPS.items() for name in names} <= chosen


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_file_in_conf_is_valid(validators, path):
    group = path.parent.name
    # Hydra's loader takes 1e-3 for a number, as YAML 1.2 does and PyYAML does not.
    content = OmegaConf.to_container(OmegaConf.load(path))
    found = validators[group if group in SCHEMAS else ""].iter_errors(content)
    assert [error.message for error in found] == []


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ("", {"data": {"contxt": 5}}),
        ("", {"data": {"context": "many"}}),
        ("", {"data": {"context": 51}}),
        ("", {"data": {"padding": "zeros"}}),
        ("", {"train": {"epochs": 1.5}}),
        ("", {"tracking": {"log_model": "maybe"}}),
        ("", {"nonsense": 1}),
        ("model", {"width": 0}),
        ("model", {"dropout": [0.1, 1.0]}),
        ("model", {"model": {"width": 5}}),
        ("optim", {"lr": 0}),
        ("optim", {"momentum": 0.9, "beta1": 0.9}),  # of two optimizers
    ],
)
def test_errors_are_found(validators, group, content):
    assert not validators[group].is_valid(content)


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ("", {"defaults": ["base", {"override /model": "wide"}], "hydra": {"sweeper": {}}}),
        ("", {"data": {"root": "${oc.env:HOME}/corpus", "context": "${model.x}"}}),
        ("", {"tracking": {"tags": {"a": "b"}, "run_name": None}}),
        ("model", {"defaults": ["wide", "_self_"], "dropout": 0.3, "widths": None}),
        ("model", {"dropout": [0.1, 0.2]}),
        ("optim", {"lr": 1}),
    ],
)
def test_what_hydra_accepts_is_valid(validators, group, content):
    assert [error.message for error in validators[group].iter_errors(content)] == []


def test_keys_have_a_description_a_default_and_their_choices():
    described = build_json_schema("data")["$defs"]["data.demo"]["properties"]
    context = described["context"]
    assert context["default"] == 25
    assert context["description"].endswith("2*context+1 frames. Unit: frames.")
    assert context["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 50}
    assert described["padding"]["anyOf"][0] == {"enum": ["zero", "replicate", "cross"]}


def test_a_group_without_keys_has_no_schema_of_its_own():
    with pytest.raises(ConfigError, match=r"found 'recipe'. Recipes, abl"):
        build_json_schema("recipe")


def test_the_example_in_the_documentation_names_the_schema_and_is_valid(validators):
    (example,) = re.findall(r"```yaml\n(.*?)```", INTRODUCTION, re.DOTALL)
    assert example.startswith("# yaml-language-server: $schema=framesweep.schema.json\n")
    assert validators[""].is_valid(OmegaConf.to_container(OmegaConf.create(example)))
