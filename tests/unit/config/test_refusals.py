"""What is said about what Hydra refuses."""

import pytest

import framesweep as fs
from framesweep.config.refusals import describe_refusal


@pytest.mark.parametrize("sweep", ["sweep=bare", "hydra/sweeper=optuna"])
def test_a_sampler_that_optuna_has_removed_is_named_with_its_successors(sweep, tmp_path):
    with pytest.raises(fs.FramesweepError) as error:
        fs.sweep([sweep, "hydra/sweeper/sampler=motpe", "seed=1,2", f"outputs={tmp_path}"])
    assert str(error.value) == (
        "hydra/sweeper/sampler: must be a sampler that Optuna has; found motpe, which it has "
        "removed. Choose tpe or nsgaii for several objectives"
    )


def test_other_errors_are_no_refusals():
    assert describe_refusal("Key 'contxt' not in 'DemoConfig'") is None
