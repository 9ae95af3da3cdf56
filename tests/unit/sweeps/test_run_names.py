"""Runs are named by what distinguishes them."""

import pytest

from framesweep.sweeps.run_names import (
    MAX_NAME,
    join_words,
    name_best,
    name_by_overrides,
    name_by_values,
)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "defaults"),
        (["model=wide", "data.context=15"], "model=wide data.context=15"),
        (["+optim.lr=1", "model@net=small", "~augment"], "optim.lr=1 model=small ~augment"),
        (["hardware=cpu", "hardware.threads=1", "tracking.uri=x", "outputs=o"], "defaults"),
        (["hydra.run.dir=x", "seed=3"], "seed=3"),
    ],
)
def test_a_run_is_named_by_the_overrides_that_can_change_its_result(overrides, name):
    assert name_by_overrides(overrides) == name


def test_a_long_name_says_how_much_is_missing():
    name = name_by_overrides([f"data.key{i}={'x' * 10}" for i in range(20)])
    assert len(name) <= MAX_NAME
    shown, _, more = name.rpartition(" +")
    assert f"{20 - len(shown.split())} more" == more


def test_a_long_value_is_cut():
    name = name_by_overrides(["model.widths=[" + "1024," * 30 + "1]"])
    assert name.startswith("model.widths=[1024,")
    assert name.endswith("…")
    assert len(name) <= MAX_NAME


def test_names_contain_no_credentials_and_no_control_characters():
    name = join_words(["data.note=http://user:secret@host", "data.x=a\x1b[31m\nb"])
    assert "secret" not in name
    assert name.isprintable()


def test_values_are_named_by_the_last_part_of_their_key():
    name = name_by_values({"data.context": 5, "model.dropout": 0.123456}, "trial 7: ")
    assert name == "trial 7: context=5 dropout=0.1235"
    assert name_by_values({}) == ""
    assert (
        len(name_by_values({f"a.key{i}": "v" * 30 for i in range(9)}, "trial 7: ")) <= MAX_NAME
    )


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ("dev/speech_accuracy", "best/speech_accuracy"),
        ("model/params", "best/params"),
        ("value", "best/value"),
    ],
)
def test_the_name_keeps_the_metric_of_the_objective(objective, name):
    assert name_best(objective) == name
