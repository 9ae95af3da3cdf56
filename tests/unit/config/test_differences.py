"""Which keys of a config differ from their defaults."""

from configs import compose
from framesweep.config.composition import register
from framesweep.config.differences import changed_keys, option_names

register()


def test_only_keys_that_were_changed_and_affect_the_result_are_listed():
    default = changed_keys(compose(["model=small"]))
    changes = ["model=small", "optim.beta1=0.8", "tracking.experiment=x", "outputs=elsewhere"]
    changed = changed_keys(compose(changes))
    assert set(changed) - set(default) == {"optim.beta1"}


def test_the_default_config_does_not_differ_from_the_defaults():
    assert changed_keys(compose([])) == []


def test_values_of_an_option_count_as_changed():
    assert {"model.width"} <= set(changed_keys(compose(["model=wide"])))


def test_defaults_are_those_of_the_option_in_use():
    changed = changed_keys(compose(["optim=sgd", "model=tdnn"]))
    assert {key for key in changed if key.startswith("optim.")} == {
        *("optim.lr", "optim.schedule", "optim.warmup", "optim.label_smoothing"),
    }


def test_options_are_recognized_by_their_values():
    names = option_names(compose(["model=base", "augment=speech", "optim=sgd"]))
    assert (names["model"], names["augment"], names["optim"]) == ("base", "speech", "sgd")
    names = option_names(compose(["model=small", "model.norm=layer"]))
    assert (names["model"], names["augment"]) == ("small", "none")


def test_an_option_whose_values_were_changed_has_the_name_of_its_schema():
    assert option_names(compose(["model=base", "model.widths=[8]"]))["model"] == "mlp"
