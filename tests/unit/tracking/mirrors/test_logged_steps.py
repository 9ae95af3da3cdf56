"""A resumed run shows no step twice."""

from pathlib import Path

from framesweep.tracking.mirrors.logged_steps import LoggedSteps


def test_a_step_is_new_once_per_metric_and_in_later_processes(tmp_path: Path) -> None:
    steps = LoggedSteps(tmp_path / "wandb.json")
    assert steps.last == 0
    steps.attributes["id"] = "abc"
    steps.add(1, steps.select_new(1, {"dev/loss": 2.0}))
    steps.add(2, steps.select_new(2, {"dev/loss": 1.0}))

    later = LoggedSteps(tmp_path / "wandb.json")
    assert later.attributes == {"id": "abc"}
    assert later.last == 2
    assert later.select_new(1, {"dev/loss": 2.0, "best/loss": 1.0}) == {"best/loss": 1.0}
    assert later.select_new(3, {"dev/loss": 0.5}) == {"dev/loss": 0.5}


def test_a_step_that_was_not_logged_stays_new(tmp_path: Path) -> None:
    steps = LoggedSteps(tmp_path / "wandb.json")
    assert steps.select_new(0, {"system/cpu": 5.0})
    assert steps.select_new(0, {"system/cpu": 5.0})
