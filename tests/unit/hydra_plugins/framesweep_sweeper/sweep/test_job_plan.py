import math
import time

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._job_plan import limit_jobs, plan_jobs, wrap_task

LOCAL = OmegaConf.create({"hydra": {}})
JOBLIB = OmegaConf.create({"hydra": {"launcher": {"_target_": "other.Launcher"}}})


def test_a_launcher_needs_a_number_of_jobs(make_settings):
    assert plan_jobs(make_settings(n_jobs=3), LOCAL).n_jobs == 3
    assert plan_jobs(make_settings(n_jobs=3), JOBLIB).n_jobs == 3
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.n_jobs: must be a number with a"):
        plan_jobs(make_settings(n_jobs="auto"), JOBLIB)


def test_jobs_elsewhere_end_with_the_search_and_local_ones_are_stopped(
    make_settings, monkeypatch
):
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    settings = make_settings(trial_minutes=2.0)
    assert limit_jobs(settings, LOCAL, 60.0).deadline == math.inf
    limits = limit_jobs(settings, JOBLIB, 60.0)
    assert (limits.trial_seconds, limits.deadline) == (120.0, 1060.0)
    assert limit_jobs(make_settings(), JOBLIB, math.inf).trial_seconds == math.inf


def test_a_task_has_its_study_and_its_limits(make_settings):
    limits = limit_jobs(make_settings(trial_minutes=2.0), LOCAL, math.inf)
    task = wrap_task(print, make_settings(), "a.journal", "s", limits)
    assert (task.url, task.study_name, task.limits) == ("a.journal", "s", limits)
