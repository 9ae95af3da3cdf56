"""Every key of the config, read from the schemas: what does not fit is refused in one line."""

import dataclasses
import io
from contextlib import redirect_stderr

import numpy as np
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser

import configs
from framesweep.config import SCHEMAS
from framesweep.config.composition import register, to_run_config
from framesweep.config.plain import flatten
from framesweep.exit_codes import exit_code_of
from framesweep.runs.run import run
from integration.conftest import TINY
from schema import beyond_measure, extremes, keys, of_other_types

register()
KEYS = list(keys())
ONCE = list({key: (chosen, key, kind) for chosen, key, kind in reversed(KEYS)}.values())
"""A key that several options share, with one of them."""

ELSEWHERE = {"outputs", "resume", "data.root", "data.cache", "tracking.uri"}
"""Keys whose values are places; other tests try these."""

SHORT_DEMO = [f"data.{split}_minutes=0.1" for split in ("train", "dev", "test")]


def name(value):
    return value if isinstance(value, str) else ""


def with_override(chosen, override):
    """The typed config, as Hydra makes it, without reading conf/ for each key."""
    config = configs.compose_once(tuple(chosen))
    overrides = OverridesParser.create().parse_overrides([override])
    ConfigLoaderImpl._apply_overrides_to_config(overrides, config)
    return to_run_config(config)


def complaint(function):
    """Exit code and standard error of what `function` raises, as a user gets them."""
    errors = io.StringIO()
    with redirect_stderr(errors):
        code = exit_code_of(function)
    return code, errors.getvalue()


@pytest.mark.parametrize(("chosen", "key", "kind"), KEYS, ids=name)
def test_wrong_types_and_sizes_are_rejected_with_their_key(chosen, key, kind):
    for value in [*of_other_types(kind), *beyond_measure(kind)]:
        code, text = complaint(lambda v=value: with_override(chosen, f"{key}={v}"))
        assert code == 2, (value, text)
        assert text.startswith(f"error: {key}"), (value, text)
        assert len(text.splitlines()) == 1, text


@pytest.mark.parametrize("group", [*SCHEMAS, "train", "sweep"])
def test_unknown_keys_are_rejected(group):
    code, text = complaint(lambda: with_override((), f"{group}.nonsense=1"))
    assert code == 2
    assert text.startswith(f"error: {group}.nonsense: no such key")
    assert len(text.splitlines()) == 1


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.parametrize(
    ("chosen", "key", "kind"),
    [one for one in ONCE if extremes(one[2]) and one[1] not in ELSEWHERE],
    ids=name,
)
def test_extreme_values_either_train_or_are_rejected(chosen, key, kind, hw1p2_root, tmp_path):
    """Past composition a run ends with a value, or with a line that a person can act on."""
    data = [text for text in chosen if text.startswith("data")]
    if data in ([], ["data=hw1p2"]):
        small = [*chosen, "data=hw1p2", f"data.root={hw1p2_root}"]
    else:
        is_demo = data == ["data=demo"]
        where = SHORT_DEMO if is_demo else [f"data.root={tmp_path}"]
        small = [*chosen, *where, "data.max_utterances=1"]
    small = [text for text in [*small, *TINY] if key not in text]
    small += ["model.widths=[8,8]", "train.max_minutes=1e-3", f"outputs={tmp_path}"]
    for number, value in enumerate(extremes(kind)):

        def train(value=value, directory=tmp_path / str(number)):
            objective = run(with_override(small, f"{key}={value}"), directory)
            assert np.isfinite(objective).all()

        code, text = complaint(train)
        assert code in (0, 1, 2), text
        assert text.count("\n") == (1 if code else 0), text
        assert code != 1 or "the training loss became" in text


def test_every_key_of_every_schema_is_tested_here():
    """The schemas' keys are those of a composed config."""
    found = {
        key for chosen, key, _ in KEYS if not chosen or chosen[0] in ("data=demo", "optim=adam")
    }
    config = configs.compose([])
    assert set(flatten(config)) <= found
    assert dataclasses.is_dataclass(config)
