"""The pruner decides as Optuna's does, and computes each bracket once."""

import optuna
import pytest
from optuna.pruners import HyperbandPruner

from hydra_plugins.framesweep_sweeper.search._hyperband import QuickHyperbandPruner

NUM_STEPS = 27


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def search(pruner: HyperbandPruner) -> list[tuple[int | None, str]]:
    """Return each trial's last step and state of a study whose curves depend on the number."""
    study = optuna.create_study(
        study_name="s", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def objective(trial: optuna.Trial) -> float:
        level = trial.suggest_float("level", 0, 1)
        for step in range(1, NUM_STEPS + 1):
            trial.report(level + 1 / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return level

    study.optimize(objective, n_trials=60)
    return [(trial.last_step, trial.state.name) for trial in study.trials]


@pytest.mark.parametrize("max_resource", [NUM_STEPS, "auto"])
def test_trials_are_pruned_where_optunas_pruner_would(max_resource):
    ours, optunas = (
        search(kind(max_resource=max_resource))
        for kind in (QuickHyperbandPruner, HyperbandPruner)
    )
    assert ours == optunas
    assert {state for _, state in ours} == {"COMPLETE", "PRUNED"}


def test_the_bracket_of_a_trial_is_computed_once(monkeypatch):
    numbers = []
    compute = HyperbandPruner._get_bracket_id

    def count(self, study, trial):
        numbers.append(trial.number)
        return compute(self, study, trial)

    monkeypatch.setattr(HyperbandPruner, "_get_bracket_id", count)
    pruner = QuickHyperbandPruner(max_resource=NUM_STEPS)
    search(pruner)
    # The first trial begins before the pruner knows its brackets, and is asked for again.
    assert all(numbers.count(number) == 1 for number in range(1, 60))
