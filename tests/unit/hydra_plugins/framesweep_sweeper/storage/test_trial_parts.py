import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._table_storage import find_tables
from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    ALL,
    PARAMS,
    STEPS,
    SYSTEM_ATTRS,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)
DISTRIBUTIONS = {
    "z": FloatDistribution(1e-5, 1.0, log=True),
    "n": IntDistribution(1, 9),
    "kind": CategoricalDistribution(["a", "b", None]),
}


def make_trials():
    """Return a trial in each state, with values that a database needs to encode."""
    params = {"z": 0.1, "n": 3, "kind": None}
    for state in TrialState:
        yield create_trial(
            state=state,
            values=[math.inf, -1.5] if state is TrialState.COMPLETE else None,
            params=params,
            distributions=DISTRIBUTIONS,
            intermediate_values={3: math.nan, 1: 0.5, 2: -math.inf},
            user_attrs={"note": ["ü", 1, None]},
            system_attrs={"framesweep:claim": {"serial": 1}, "completed_rung_0": 0.25},
        )


def describe(trial):
    """Return a trial as text, in which NaN equals itself; parameters keep their order."""
    parts = vars(trial) | {
        name: sorted(getattr(trial, name).items())
        for name in ("user_attrs", "system_attrs", "intermediate_values")
    }
    return {name.removeprefix("_"): repr(part) for name, part in parts.items()}


@pytest.fixture
def study(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(
        study_name="s", storage=open_storage(url, 60), directions=["minimize", "maximize"]
    )
    for trial in make_trials():
        study.add_trial(trial)
    return study


def test_trials_read_in_bulk_equal_those_that_optuna_reads(study):
    storage = study._storage
    optunas = RDBStorage(storage.inner._backend.url)
    bulk = find_tables(storage).get_all_trials(study._study_id, parts=ALL)
    single = optunas.get_all_trials(study._study_id)
    assert list(map(describe, bulk)) == list(map(describe, single))
    for trial in single:
        assert describe(storage.get_trial(trial._trial_id)) == describe(trial)


def test_only_the_wanted_parts_are_read(study):
    tables = find_tables(study._storage)
    trial_id = study.trials[0]._trial_id
    steps = tables.get_trial(trial_id, (STEPS,))
    assert list(steps.intermediate_values) == [3, 1, 2]
    assert (steps.params, steps.user_attrs, steps.system_attrs) == ({}, {}, {})
    both = tables.get_trial(trial_id, (PARAMS, SYSTEM_ATTRS))
    assert both.params == {"z": 0.1, "n": 3, "kind": None}
    assert both.distributions == DISTRIBUTIONS
    assert both.system_attrs.keys() == {"framesweep:claim", "completed_rung_0"}
    assert not both.intermediate_values
