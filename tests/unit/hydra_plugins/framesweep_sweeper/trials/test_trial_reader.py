from collections.abc import Callable
from functools import partial

import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from crowded_study import fill_study
from hydra_plugins.framesweep_sweeper.job import CurrentTrial
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._study_views import view_for_pruner
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.trials._trial_reader import (
    count_trials,
    find_with_params,
    list_running,
    read_progress,
    report_value,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def count_by_call(url, running, ended, count_statements):
    """Return the number of statements of each call on a study with so many trials."""
    storage = open_storage(url, 60)
    fill_study(storage, "s", running, ended)
    study = optuna.load_study(study_name="s", storage=storage)
    sampler = TPESampler(multivariate=True, constant_liar=True, seed=0)
    queue = TrialQueue(study, storage, StorageLock(url), lambda _: sampler, 1, 60)
    claim = queue.claim(10**6)
    reports = {}
    for name, pruner in (("median", MedianPruner()), ("band", HyperbandPruner(1, 3, 3))):
        view = optuna.load_study(
            study_name="s", storage=view_for_pruner(storage), pruner=pruner
        )
        ids = (claim.number, 1, False, claim.trial_id, claim.serial)
        reports[name] = CurrentTrial("s", *ids, view, storage).report
    calls: dict[str, Callable[[], object]] = {
        "claim": lambda: queue.claim(10**6),
        "point": partial(claim.trial.suggest_float, "x0", 0, 1),
        "duplicate": lambda: queue.find_original(claim),
        **{
            f"{name} {step}": partial(report, 2.0, step)
            for name, report in reports.items()
            for step in (1, 2, 3)
        },
        "end": lambda: queue.settle(claim, JobOutcome(_trial_attrs.COMPLETE, (0.5,))),
    }
    counts = {}
    for name, call in calls.items():
        with count_statements(storage) as sent:
            call()
        counts[name] = len(sent)
    return counts


def test_the_number_of_statements_does_not_grow_with_that_of_trials(tmp_path, count_statements):
    few, many = (
        count_by_call(f"sqlite:///{tmp_path}/{n}.db", n, n, count_statements) for n in (10, 200)
    )
    assert few == many
    assert max(few["claim"], few["end"]) <= 60
    assert max(count for name, count in few.items() if name.endswith(("2", "3"))) <= 30


@pytest.fixture(params=["sqlite:///{}/studies.db", "{}/study.journal"])
def any_storage(request, tmp_path):
    storage = open_storage(request.param.format(tmp_path), 60)
    optuna.create_study(study_name="s", storage=storage)
    return storage


def test_every_storage_is_read_the_same(any_storage):
    study = optuna.load_study(study_name="s", storage=any_storage)
    trials = [study.ask() for _ in range(4)]
    for trial in trials:
        trial.suggest_float("x", 0, 1)
    for trial, reason in zip(trials, ("constraints", "trial_minutes"), strict=False):
        trial.set_user_attr(_trial_attrs.PRUNED_BY, reason)
        study.tell(trial, state=TrialState.PRUNED)
    running = trials[2:]
    any_storage.set_trial_system_attr(running[0]._trial_id, _trial_attrs.CLAIM, {"serial": 1})
    study_id = study._study_id
    counts, rejected = count_trials(any_storage, study_id)
    assert (counts, rejected) == ({TrialState.PRUNED: 1, TrialState.RUNNING: 2}, 1)
    found = list_running(any_storage, study_id)
    assert [(t.number, t.system_attrs.get(_trial_attrs.CLAIM)) for t in found] == [
        (2, {"serial": 1}),
        (3, None),
    ]
    states = (TrialState.PRUNED, TrialState.RUNNING)
    for number, trial in enumerate(trials):
        (same,) = find_with_params(any_storage, study_id, trial.params, states)
        assert (same.number, same.params) == (number, trial.params)
    (pruned,) = find_with_params(any_storage, study_id, trials[1].params, states)
    assert pruned.user_attrs == {_trial_attrs.PRUNED_BY: "trial_minutes"}
    assert not find_with_params(any_storage, study_id, {"x": 2.0}, states)
    assert not find_with_params(any_storage, study_id, trials[1].params, states[1:])


def test_a_report_is_written_after_its_check(any_storage):
    trial_id = optuna.load_study(study_name="s", storage=any_storage).ask()._trial_id
    checked: list[optuna.trial.FrozenTrial] = []
    report_value(any_storage, trial_id, 1, 0.5, checked.append)
    report_value(any_storage, trial_id, 2, 0.25, checked.append)
    assert [t.intermediate_values for t in checked[1:]] == [{1: 0.5}]
    assert read_progress(any_storage, trial_id).intermediate_values == {1: 0.5, 2: 0.25}
