"""What is said about what Hydra refuses."""

import pytest

import framesweep as fs
from framesweep.config.messages.refusals import describe_refusal


@pytest.mark.parametrize("sweep", ["sweep=bare", "hydra/sweeper=optuna"])
def test_a_sampler_that_optuna_has_removed_is_named_with_its_successors(sweep, tmp_path):
    with pytest.raises(fs.FramesweepError) as error:
        fs.sweep([sweep, "hydra/sweeper/sampler=motpe", "seed=1,2", f"outputs={tmp_path}"])
    assert str(error.value) == (
        "hydra/sweeper/sampler: must be a sampler that Optuna has; found motpe, which it has "
        "removed. Choose tpe or nsgaii for several objectives"
    )


def test_a_key_of_the_schema_cannot_be_removed():
    with pytest.raises(fs.FramesweepError) as error:
        fs.compose(["~data.context"])
    assert str(error.value) == (
        "data.context: is a key of the schema and cannot be removed. Leave out ~data.context "
        "for its default, or type data.context=null if it may be null"
    )


@pytest.mark.parametrize("group", ["data", "model"])
def test_a_group_that_every_run_needs_cannot_be_removed(group):
    with pytest.raises(fs.FramesweepError) as error:
        fs.compose([f"~{group}"])
    assert str(error.value) == (
        f"{group}: must be the name of an option. Leave out ~{group} for the default"
    )


def test_a_key_must_have_a_value():
    with pytest.raises(fs.FramesweepError) as error:
        fs.compose(["train.epochs=???"])
    assert str(error.value) == (
        "train.epochs: must have a value; found ???. Leave it out for its default"
    )


def test_other_errors_are_no_refusals():
    assert describe_refusal("Key 'contxt' not in 'DemoConfig'") is None
