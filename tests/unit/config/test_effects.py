"""What a change of each config key affects."""

from collections.abc import Iterator
from dataclasses import fields
from typing import get_args

import pytest

from configs import compose
from framesweep.config import SCHEMAS, RunConfig, SweepConfig, TrainConfig
from framesweep.config.composition import register
from framesweep.config.effects import declared_effects, effect_of, free_overrides
from framesweep.config.plain import flatten
from framesweep.config.setting import AFFECTS, Effect

register()


def schemas() -> Iterator[tuple[str, type]]:
    for group, options in SCHEMAS.items():
        for schema in options.values():
            yield f"{group}.", schema
    yield from (("train.", TrainConfig), ("sweep.", SweepConfig), ("", RunConfig))


def test_every_key_of_a_run_has_an_effect():
    overrides = [["data=segments", "data.root=/x"], ["model=tdnn", "optim=muon"], []]
    for config in map(compose, overrides):
        assert set(flatten(config)) <= set(declared_effects())


def test_every_declared_effect_is_one_that_exists():
    assert set(declared_effects().values()) <= set(get_args(Effect))


def test_a_key_has_the_same_effect_in_every_option_of_its_group():
    for prefix, schema in schemas():
        for field in fields(schema):
            declared = field.metadata.get(AFFECTS, "result")
            assert effect_of(f"{prefix}{field.name}") == declared, (schema, field.name)


def test_a_key_that_declares_nothing_affects_the_result():
    assert effect_of("data.context") == "result"
    assert effect_of("seed") == "result"


def test_a_key_that_no_schema_has_affects_the_result():
    assert effect_of("derived.widths") == "result"
    assert effect_of("") == "result"


def test_an_entry_of_a_dictionary_has_the_effect_of_the_dictionary():
    assert effect_of("tracking.tags.author") == "nothing"


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("train.epochs", "end"),
        ("train.patience", "end"),
        ("train.max_minutes", "end"),
        ("train.smooth", "end"),
        ("further_objectives", "end"),
        ("hardware.precision", "rounding"),
        ("train.checkpoint_minutes", "nothing"),
        ("data.root", "nothing"),
        ("data.workers", "nothing"),
        ("sweep.retries", "nothing"),
        ("optim.patience", "result"),
        ("data.phone_order", "result"),
    ],
)
def test_keys_that_are_easily_mistaken(key: str, effect: Effect):
    assert effect_of(key) == effect


def test_what_a_study_may_change_when_it_is_continued():
    assert set(free_overrides()) == {
        *("hardware", "tracking", "sweep", "outputs", "resume", "train.checkpoint_minutes"),
        *("data.root", "data.cache", "data.verify", "data.workers", "data.max_missing"),
    }
