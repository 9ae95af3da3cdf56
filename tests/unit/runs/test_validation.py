"""Rules across the groups of a config; each group's own are tested with the group."""

from dataclasses import replace

import pytest

from framesweep.config.composition import compose, register
from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.errors import ConfigError
from framesweep.runs.validation import check, check_phones, is_of_fixed_length

register()


def line_of(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(compose(list(overrides)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["model=tdnn", "train.order=windows"], "train.order: must be shuffle for model=tdnn"),
        (
            ["model=tdnn", "data.context=10"],
            "model.dilations: must reach at most data.context=10",
        ),
        (
            ["train.final_batch_size=512", "optim.schedule=step"],
            "train.final_batch_size: cannot go with optim.schedule=step",
        ),
        (["objective=dev/acuracy"], "objective: must be one of "),
        (["objective=model/params"], "objective: must be one of "),
        (["further_objectives=[nothing]"], "further_objectives: must be one of "),
        (
            ["objective=dev/edge_accuracy", "data.context=0"],
            "objective: needs windows that pass an edge: data.context=0",
        ),
        (
            ["model=conv", "data.context=3"],
            "model.conv_kernel: must be at most 2, the steps left of a window of 7 frames",
        ),
        (["train.epochs=1000001"], "train.epochs: must be at most 1,000,000"),
        (["train.patience=0"], "train.patience: must be 1 or more"),
        (["train.max_minutes=0"], "train.max_minutes: must be above 0"),
    ],
)
def test_a_broken_rule_is_named(overrides: list[str], line: str) -> None:
    assert line_of(*overrides).startswith(line)


def test_an_objective_fits_the_phones() -> None:
    config = compose(["objective=dev/accuracy_unstressed", "further_objectives=[dev/loss]"])
    check_phones(config, ARPABET_71)
    with pytest.raises(ConfigError, match=r"^objective: must fit the corpus's 3 phones, which"):
        check_phones(config, PhoneSet.numbered(3))
    config = compose(["further_objectives=[dev/accuracy_39]"])
    with pytest.raises(ConfigError, match=r"^further_objectives: .* folding 39 does not"):
        check_phones(config, ARPABET_71)


@pytest.mark.parametrize(
    ("overrides", "fixed"),
    [
        (["optim.schedule=constant"], False),
        (["optim.schedule=plateau", "train.average=ema"], False),
        (["optim.schedule=onecycle"], True),
        (["optim.schedule=constant", "train.average=swa"], True),
        (["optim.schedule=constant", "train.final_batch_size=512"], True),
    ],
)
def test_what_hangs_on_the_number_of_epochs(overrides: list[str], fixed: bool) -> None:
    assert is_of_fixed_length(compose(overrides)) is fixed


def test_what_fits_passes() -> None:
    check(compose([]))
    check(compose(["model=tdnn", "data.context=25"]))
    check(compose(["further_objectives=[model/params]"]))
    config = compose([])
    check(replace(config, train=replace(config.train, order="windows")))
