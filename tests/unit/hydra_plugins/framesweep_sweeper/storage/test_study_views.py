import random

import optuna
import pytest
from optuna import pruners
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper.search._extrapolation import ExtrapolationPruner
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._study_views import (
    view_for_pruner,
    view_for_sampler,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)
STEPS = 5

PRUNERS = {
    "extrapolation": lambda: ExtrapolationPruner(n_startup_trials=2),
    "median": lambda: pruners.MedianPruner(n_startup_trials=2),
    "percentile": lambda: pruners.PercentilePruner(25.0, n_startup_trials=2),
    "halving": lambda: pruners.SuccessiveHalvingPruner(reduction_factor=2),
    "hyperband": lambda: pruners.HyperbandPruner(reduction_factor=2),
    "wilcoxon": lambda: pruners.WilcoxonPruner(n_startup_steps=0),
    "patient": lambda: pruners.PatientPruner(pruners.MedianPruner(1), patience=1),
}


def prune(study, seen):
    """Run trials three at a time; return the step at which each was pruned or ended.

    Args:
        study: the study.
        seen: the study as the pruner sees it.
    """
    generator = random.Random(0)
    ended: dict[int, int] = {}
    running: list[tuple[optuna.Trial, float]] = []
    while len(ended) < 10:
        while len(running) < 3:
            running.append((study.ask(), generator.random()))
        trial, level = running[generator.randrange(3)]
        frozen = study._storage.get_trial(trial._trial_id)
        step = len(frozen.intermediate_values) + 1
        trial.report(level + generator.random() / step, step)
        if seen.pruner.prune(seen, study._storage.get_trial(trial._trial_id)):
            study.tell(trial, state=TrialState.PRUNED)
        elif step == STEPS:
            study.tell(trial, level)
        else:
            continue
        ended[trial.number] = step
        running.remove((trial, level))
    return ended


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("make_pruner", PRUNERS.values(), ids=PRUNERS)
def test_a_pruner_decides_the_same_by_the_parts_that_it_is_shown(tmp_path, make_pruner):
    def run(storage, view):
        study = optuna.create_study(study_name="s", storage=storage)
        seen = optuna.load_study(study_name="s", storage=view(storage), pruner=make_pruner())
        return prune(study, seen)

    shown = run(open_storage(f"sqlite:///{tmp_path}/studies.db", 60), view_for_pruner)
    assert shown == run(InMemoryStorage(), lambda storage: storage)
    assert len(set(shown.values())) > 1


def test_a_pruner_is_not_shown_the_curves_of_running_trials(storage):
    study = optuna.load_study(study_name="s", storage=storage)
    trial = study.ask()
    trial.report(0.5, 1)
    storage.set_trial_system_attr(trial._trial_id, "completed_rung_0", 0.5)
    storage.set_trial_system_attr(trial._trial_id, "framesweep:claim", {})
    [seen] = view_for_pruner(storage).get_all_trials(study._study_id)
    assert (seen.system_attrs, seen.intermediate_values) == ({"completed_rung_0": 0.5}, {})


def test_a_pruner_is_shown_which_trials_violate_constraints(storage):
    study = optuna.load_study(study_name="s", storage=storage)
    trial = study.ask()
    trial.set_constraint("speed", 2.0)
    study.tell(trial, 0.5)
    [seen] = view_for_pruner(storage).get_all_trials(study._study_id)
    assert seen.constraints == {"speed": 2.0}


def test_a_sampler_sees_the_trials_as_they_were_when_its_own_began(storage):
    other = optuna.load_study(study_name="s", storage=storage)
    view = view_for_sampler(storage)
    mine = optuna.load_study(study_name="s", storage=view)

    def list_params():
        return [trial.params for trial in mine.get_trials(deepcopy=False)]

    other.ask().suggest_float("x", 0.5, 0.5)
    mine.ask()
    assert list_params() == [{"x": 0.5}, {}]
    other.ask().suggest_float("x", 0.5, 0.5)
    assert list_params() == [{"x": 0.5}, {}]
    mine.tell(1, 1.0)
    assert list_params() == [{"x": 0.5}, {}, {"x": 0.5}]
    assert mine.get_trials()[1].value == 1.0


def test_a_sampler_sees_its_own_records_of_running_trials_and_no_others(storage):
    study = optuna.load_study(study_name="s", storage=view_for_sampler(storage))
    trial_id = study.ask()._trial_id
    for key in ("framesweep:claim", "grid_id"):
        storage.set_trial_system_attr(trial_id, key, 1)
    storage.set_trial_intermediate_value(trial_id, 1, 0.5)
    [seen] = study.get_trials()
    assert (seen.system_attrs, seen.intermediate_values) == ({"grid_id": 1}, {})
    study.enqueue_trial({"x": 0.5})
    assert study.ask().suggest_float("x", 0, 1) == 0.5


def test_a_journal_is_shown_as_it_is(tmp_path):
    storage = open_storage(f"{tmp_path}/study.journal", 60)
    assert view_for_sampler(storage) is view_for_pruner(storage) is storage
