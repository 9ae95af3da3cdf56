"""The documentation of the config keys, read from the schemas."""

from dataclasses import dataclass, field
from typing import Literal

import pytest
from omegaconf import OmegaConf

from configs import compose
from framesweep.config import DataConfig, KaldiConfig
from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.config.plain import flatten
from framesweep.config.reference.key_docs import (
    describe_type,
    document_keys,
    find_keys,
    read_meanings,
    to_yaml,
)
from framesweep.config.setting import setting
from framesweep.errors import ConfigError
from hydra_plugins.framesweep_sweeper.sweep._known_keys import KNOWN

register()


@dataclass(kw_only=True, slots=True)
class Base:
    shared: int = setting(1, unit="frames")
    """Shared by
    all options."""
    plain: str = ""


@dataclass(kw_only=True, slots=True)
class Derived(Base):
    own: list[int] = field(default_factory=list)
    """Of one option."""


def test_the_text_under_a_field_is_its_meaning():
    assert read_meanings(Derived) == {
        "shared": "Shared by all options.",
        "own": "Of one option.",
    }


def test_every_key_has_a_meaning_and_a_default():
    for doc in document_keys():
        assert doc.meaning.endswith("."), doc.key
        assert doc.meaning[0].isupper() or not doc.meaning[0].isalpha(), doc.key
        assert doc.default, doc.key


def test_an_integer_has_a_unit():
    for doc in document_keys():
        if doc.type.startswith("int") and not doc.key.endswith("seed"):
            assert doc.unit, doc.key


def test_every_key_of_a_config_is_documented():
    documented = {doc.key for doc in document_keys()}
    for overrides in ([], ["data=segments", "data.root=/x", "model=tdnn", "optim=muon"]):
        assert set(flatten(compose(overrides))) <= documented


def test_every_key_of_a_search_is_documented_or_set_by_the_preset():
    documented = {doc.key for doc in find_keys("hydra.sweeper")}
    preset = OmegaConf.load(find_conf() / "sweep/bare.yaml")
    derived = {f"hydra.sweeper.{key}" for key in preset.hydra.sweeper}
    known = {f"hydra.sweeper.{key}" for key in KNOWN - {"pruner"}}
    assert documented <= known
    assert known - documented == derived - documented


def test_a_key_that_all_options_share_is_documented_once():
    assert [doc.schema for doc in document_keys() if doc.key == "data.context"] == [DataConfig]


def test_options_with_a_key_of_the_same_name_document_their_own():
    docs = {doc.schema: doc for doc in document_keys() if doc.key == "data.phones"}
    assert len(docs) == 5
    assert docs[KaldiConfig].meaning.startswith("File of phones in root")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "int"),
        (int | None, "int or null"),
        (Literal["zero", "cross"], "one of zero, cross"),
        (list[str] | None, "list of str or null"),
        (float | int | list[float | int], "float or list of float"),
        (dict[str, str], "dictionary of str to str"),
    ],
)
def test_types_in_words(kind: object, words: str):
    assert describe_type(kind) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), ("", "''"), ([1, 2], "[1, 2]"), ({}, "{}"), (0.1, "0.1")],
)
def test_values_as_a_user_types_them(value: object, text: str):
    assert to_yaml(value) == text


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("seed", {"seed", "data.seed"}),
        (
            "sweep",
            {f"sweep.{key}" for key in ("new", "extend", "start_from", "preview", "retries")},
        ),
        ("data.*_share", {"data.dev_share", "data.test_share"}),
        ("n_trials", {"hydra.sweeper.n_trials"}),
    ],
)
def test_a_pattern_is_a_key_a_group_an_end_or_a_wildcard(pattern: str, keys: set[str]):
    assert {doc.key for doc in find_keys(pattern)} == keys


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        ("contxt", "Did you mean data.context?"),
        ("data.contxt", "Did you mean data.context or "),
        ("xyzzy", "framesweep keys lists all."),
    ],
)
def test_a_pattern_without_a_match_suggests_keys(pattern: str, fix: str):
    with pytest.raises(ConfigError) as caught:
        find_keys(pattern)
    assert str(caught.value).startswith(f"PATTERN: must match a key; found {pattern!r}. {fix}")
