"""Studies whose trials and values are known."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

SPACE = {"a.lr": FloatDistribution(0, 1), "m": CategoricalDistribution(["x", "y"])}


def trial(state, values, lr, **attrs):
    return create_trial(
        state=state,
        values=values,
        params={"a.lr": lr, "m": "x" if lr < 0.5 else "y"},
        distributions=SPACE,
        user_attrs={"overrides": [f"a.lr={lr}", "data.root=/with space"], **attrs},
        intermediate_values={1: lr, 2: lr / 2},
    )


TRIALS = (
    trial(TrialState.COMPLETE, [0.4], 0.1, attempts=1),
    trial(TrialState.PRUNED, [0.1], 0.2),
    trial(TrialState.COMPLETE, [0.9], 0.6),
    trial(TrialState.FAIL, None, 0.3, failure_reason="nan_loss", attempts=2),
    trial(TrialState.COMPLETE, [0.9], 0.6, duplicate_of=2),
    trial(TrialState.COMPLETE, [0.7], 0.8),
)


@pytest.fixture
def study(tmp_path):
    """A study of one objective, to be maximized, in `studies.db`."""
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    study.add_trials(TRIALS)
    return study


@pytest.fixture
def two_objectives():
    """A study that maximizes the first objective and minimizes the second."""
    study = optuna.create_study(study_name="p", directions=["maximize", "minimize"])
    pairs = ([0.5, 10.0], [0.8, 30.0], [0.7, 40.0])
    study.add_trials(trial(TrialState.COMPLETE, v, i / 10) for i, v in enumerate(pairs))
    study.add_trial(trial(TrialState.COMPLETE, [0.8, 30.0], 0.1, duplicate_of=1))
    return study
