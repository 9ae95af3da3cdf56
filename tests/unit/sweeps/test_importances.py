"""Which params the contour plot shows."""

import optuna

from framesweep.sweeps.importances import MAX_PARAMS, select_important_params


def test_the_most_important_params_that_vary_are_selected():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))

    def objective(trial):
        values = {name: trial.suggest_float(name, 0, 1) for name in "abcde"}
        trial.suggest_categorical("fixed", ["x"])
        return 100 * values["c"]

    study.optimize(objective, 20)
    names = select_important_params(study, None)
    assert names[0] == "c"
    assert len(names) == MAX_PARAMS
    assert "fixed" not in names


def test_a_study_without_trials_has_none():
    try:
        names = select_important_params(optuna.create_study(), None)
    except (RuntimeError, ValueError):  # as some versions of Optuna do
        names = []
    assert names == []
