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


def test_a_group_that_every_run_needs_cannot_be_removed():
    text = "Structured config of type `RunConfig` has missing mandatory value: data"
    line = describe_refusal(text)
    assert line == "data: must be the name of an option. Leave out ~data for the default"


def test_other_errors_are_no_refusals():
    assert describe_refusal("Key 'contxt' not in 'DemoConfig'") is None
