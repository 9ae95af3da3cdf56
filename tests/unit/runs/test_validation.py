"""Rules that cross groups of a config; those of one group are tested with its schema."""

from dataclasses import replace

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.errors import ConfigError
from framesweep.runs.validation import validate_across_groups, validate_phones

register()


def line_of(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate_across_groups(compose(list(overrides)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["model=tdnn", "train.order=windows"],
            "train.order: must be shuffle",
        ),
        (
            ["train.final_batch_size=512", "optim.schedule=step"],
            "train.final_batch_size: cannot be combined with optim.schedule=step",
        ),
        (
            ["data.share=0.1", "data.share_growth=0.1", "optim.schedule=step"],
            "data.share_growth: cannot be combined with optim.schedule=step",
        ),
        (["objective=dev/acuracy"], "objective: must be one of "),
        (["objective=model/params"], "objective: must be one of "),
        (["further_objectives=[nothing]"], "further_objectives: must be one of "),
        (
            ["objective=dev/edge_accuracy", "data.context=0"],
            "objective: requires windows that reach beyond an utterance; data.context is 0",
        ),
    ],
)
def test_a_broken_rule_is_named(overrides: list[str], line: str) -> None:
    assert line_of(*overrides).startswith(line)


def test_an_objective_fits_the_phones() -> None:
    config = compose(["objective=dev/accuracy_unstressed", "further_objectives=[dev/loss]"])
    validate_phones(config, ARPABET_71)
    with pytest.raises(
        ConfigError, match=r"^objective: must be defined for the 3 phones of the corpus, but"
    ):
        validate_phones(config, PhoneSet.numbered(3))
    for name in ("dev/accuracy_39", "dev/phone_error_rate_39"):
        config = compose([f"further_objectives=[{name}]"])
        with pytest.raises(ConfigError, match=r"^further_objectives: .* folding 39 is not"):
            validate_phones(config, ARPABET_71)
    validate_phones(compose(["objective=dev/phone_error_rate"]), PhoneSet.numbered(3))


def test_what_fits_passes() -> None:
    validate_across_groups(compose([]))
    validate_across_groups(compose(["model=tdnn", "data.context=25"]))
    validate_across_groups(compose(["further_objectives=[model/params]"]))
    validate_across_groups(compose(["data.share=0.1", "optim.schedule=step"]))
    config = compose([])
    validate_across_groups(replace(config, train=replace(config.train, order="windows")))


@pytest.mark.parametrize("key", ["shift", "freq_masks"])
def test_spectral_augmentation_of_stored_features_is_refused(key):
    typed = ["data=segments", "data.features=npy", f"augment.{key}=1"]
    with pytest.raises(ConfigError, match=rf"augment\.{key}: must be 0 for stored features"):
        validate_across_groups(compose(typed))
    validate_across_groups(compose([*typed[:2], "augment.time_masks=1", "augment.noise=0.1"]))
    validate_across_groups(compose([typed[0], typed[2]]))
