"""Rules across the groups of a config; each group's own are tested with the group."""

from dataclasses import replace

import pytest

from framesweep.composition import compose, register
from framesweep.errors import ConfigError
from framesweep.rules import check

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
        (["further_objectives=[nothing]"], "objective: must be one of "),
        (["train.epochs=1000001"], "train.epochs: must be at most 1,000,000"),
        (["train.patience=0"], "train.patience: must be 1 or more"),
        (["train.max_minutes=0"], "train.max_minutes: must be above 0"),
    ],
)
def test_a_broken_rule_is_named(overrides: list[str], line: str) -> None:
    assert line_of(*overrides).startswith(line)


def test_what_fits_passes() -> None:
    check(compose([]))
    check(compose(["model=tdnn", "data.context=25"]))
    check(compose(["further_objectives=[model/params]"]))
    config = compose([])
    check(replace(config, train=replace(config.train, order="windows")))
