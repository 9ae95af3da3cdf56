"""Which configs continue the same run."""

import re
from pathlib import Path

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.config.plain import flatten
from framesweep.runs.identity import depends_on_length, effect_in, identities

register()


def identity(*overrides: str, digest: str = "abc") -> str:
    return identities(compose(list(overrides)), digest)[0]


@pytest.mark.parametrize(
    "override",
    [
        *("data.root=/elsewhere", "data.workers=3", "hardware=cpu", "hardware.precision=bf16"),
        *("tracking=none", "train.epochs=9", "train.patience=2", "train.max_minutes=1"),
        *("train.smooth=false", "train.checkpoint_minutes=1", "sweep.retries=3"),
        *("outputs=/elsewhere", "further_objectives=[model/params]"),
    ],
)
def test_a_run_stays_the_same_run_under(override: str):
    run = ["data=segments", "data.root=/x", "optim.schedule=constant"]
    assert identity(*run, override) == identity(*run)


@pytest.mark.parametrize(
    "override",
    [
        "data.context=5",
        "data.share=0.5",
        "seed=1",
        "objective=dev/loss",
        "optim=sgd",
        "train.batch_size=64",
    ],
)
def test_another_run_begins_with(override: str):
    assert identity(override) != identity()


def test_other_data_make_another_run():
    assert identity(digest="other") != identity()


def test_the_numbers_of_the_phones_count_by_the_digest_alone():
    """As they did before the key existed, and while it counted as affecting nothing."""
    folders = ["data=hw1p2_folders", "data.root=/x"]
    assert identity(*folders, "data.phone_order=alphabetical") == identity(*folders)
    assert effect_in(compose(folders), "data.phone_order") == "result"


@pytest.mark.parametrize(
    "override",
    [
        *("optim.schedule=cosine", "train.average=swa", "train.final_batch_size=512"),
        "data.share=0.5 data.share_growth=0.1",
    ],
)
def test_the_number_of_epochs_counts_where_it_shapes_every_step(override: str):
    overrides = override.split()
    assert effect_in(compose(overrides), "train.epochs") == "result"
    assert effect_in(compose(["optim=adam"]), "train.epochs") == "end"
    assert identity(*overrides, "train.epochs=9") != identity(*overrides)


def test_the_number_of_epochs_does_not_count_if_all_utterances_are_trained_on():
    overrides = ["optim=adam", "data.share_growth=0.1"]
    assert effect_in(compose(overrides), "train.epochs") == "end"
    assert identity(*overrides, "train.epochs=9") == identity(*overrides)


def test_a_checkpoint_of_a_version_that_counted_its_epochs_is_recognized():
    config = compose(["optim=adam", "data.share_growth=0.1", "train.epochs=7"])
    assert "4b9411e6768a4ccf" in identities(config, "abc")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("model=base optim=adam", "34cc0d3902ee6d43"),
        ("model=base optim=adam data=segments data.root=/x data.workers=3", "4bc3fa83b52290a8"),
        ("data=hw1p2 recipe=hw1p2", "4aeed2e200c65bc2"),
        ("recipe=thorough train.epochs=7", "03ddcda94f78b172"),
        ("recipe=quick train.smooth=false", "d293aaf896d2d1d8"),
        (
            "model=base optim=sgd optim.schedule=constant optim.warmup=0.1 "
            "optim.label_smoothing=0.0 train.patience=3 train.epochs=9 hardware=cpu",
            "9a5a5d523828146e",
        ),
        ("model=base optim=adam data=kaldi data.max_missing=0.2", "82f085009209feb5"),
        ("model=base optim=adam data=hw1p2_folders data.normalize=none", "7faf449e3bc6b875"),
    ],
)
def test_checkpoints_of_version_0_1_are_recognized(overrides: str, expected: str):
    """The digests were computed by that version; a new key must not change them."""
    config = compose(overrides.split())
    new = sorted(flatten(config).keys() - contract_keys())
    assert expected in identities(config, "abc"), (
        f"declare keys that have been added by setting(..., added=True): {new}"
    )


def contract_keys() -> set[str]:
    """The keys in contracts/config_keys.txt, which has lines `data (demo) root = None`."""
    text = (Path(__file__).parents[1] / "contracts/config_keys.txt").read_text("utf-8")
    keys = re.findall(r"^(\S+)(?: \(\w+\) (\S+))? = ", text, re.MULTILINE)
    return {f"{group}.{key}" if key else group for group, key in keys}


@pytest.mark.parametrize(
    ("overrides", "depends"),
    [
        (["optim.schedule=constant"], False),
        (["optim.schedule=plateau", "train.average=ema"], False),
        (["optim.schedule=onecycle"], True),
        (["optim.schedule=cosine"], True),
        (["optim.schedule=constant", "train.average=swa"], True),
        (["optim.schedule=constant", "train.final_batch_size=512"], True),
    ],
)
def test_what_depends_on_the_number_of_epochs(overrides: list[str], depends: bool) -> None:
    assert depends_on_length(compose(overrides)) is depends
