import math
from datetime import UTC, datetime, timedelta

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper._errors import SupersededError
from hydra_plugins.framesweep_sweeper.storage import _ended_trials
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._table_storage import find_tables
from hydra_plugins.framesweep_sweeper.storage._trial_parts import PARAMS

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def study(url):
    return optuna.create_study(study_name="s", storage=open_storage(url, 60))


@pytest.fixture
def other(url, study):
    """The same study as another process sees it, through Optuna's own storage."""
    return optuna.load_study(study_name="s", storage=url)


def read_both(study, other, states):
    return [list(map(repr, s.get_trials(states=states))) for s in (study, other)]


@pytest.mark.parametrize("most_ids", [500, 0])
def test_trials_that_have_ended_are_added_in_whatever_order_they_end(
    study, other, most_ids, monkeypatch
):
    monkeypatch.setattr(_ended_trials, "MOST_IDS", most_ids)
    asked = []
    for turn in range(8):
        asked.append(other.ask())
        asked[-1].suggest_float("x", 0, 1)
        if turn % 3 == 2:
            other.tell(asked.pop(0 if turn % 2 else -2), float(turn))
        if turn == 4:
            other.enqueue_trial({"x": 0.5})
        for states in (None, (TrialState.COMPLETE,), (TrialState.RUNNING, TrialState.FAIL)):
            ours, optunas = read_both(study, other, states)
            assert ours == optunas


def test_trials_that_have_ended_are_read_once(study, other, count_statements):
    for _ in range(3):
        other.tell(other.ask(), 0.0)
    first = study.get_trials(deepcopy=False)
    with count_statements(study._storage) as sent:
        again = study.get_trials(deepcopy=False)
    assert all(one is two for one, two in zip(first, again, strict=True))
    assert not any("trial_params" in statement for statement in sent)


def test_a_trial_that_ends_while_it_is_read_keeps_its_parts(study, other):
    trial = other.ask()
    trial.suggest_float("x", 0, 1)
    tables = find_tables(study._storage)
    engine = tables._backend.engine

    def end_after_first_look(connection, cursor, statement, *rest):
        if "trial_params" in statement and not other.trials[0].state.is_finished():
            other.tell(trial, 1.0)

    sqlalchemy.event.listen(engine, "before_cursor_execute", end_after_first_look)
    [read] = tables.get_all_trials(study._study_id, False, (TrialState.RUNNING,))
    assert read.params == trial.params
    assert [t.state for t in study.get_trials()] == [TrialState.COMPLETE]


def test_trials_are_counted_by_state_and_by_an_attribute(study, other):
    for state in (TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL):
        trial = other.ask()
        trial.set_user_attr("pruned_by", "constraints" if trial.number else "else")
        other.tell(trial, state=state)
    other.ask()
    every, some = find_tables(study._storage).count_states(
        study._study_id, "pruned_by", "constraints"
    )
    assert every == {TrialState.PRUNED: 2, TrialState.FAIL: 1, TrialState.RUNNING: 1}
    assert some == {TrialState.PRUNED: 1, TrialState.FAIL: 1}


def test_trials_without_heartbeats_are_those_that_optuna_finds(study):
    tables = find_tables(study._storage)
    trial_ids = [study.ask()._trial_id for _ in range(4)]
    for trial_id in trial_ids[1:]:
        tables.record_heartbeat(trial_id)
    study.tell(3, 0.0)
    ages = {trial_ids[2]: 121, trial_ids[3]: 121, trial_ids[1]: 60}
    with tables._backend.engine.begin() as connection:
        for trial_id, seconds in ages.items():
            beat = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=seconds)
            connection.execute(
                sqlalchemy.text(
                    "UPDATE trial_heartbeats SET heartbeat = :b WHERE trial_id = :t"
                ),
                {"b": beat.isoformat(" "), "t": trial_id},
            )
    assert tables._get_stale_trial_ids(study._study_id) == [trial_ids[2]]
    assert tables._backend._get_stale_trial_ids(study._study_id) == [trial_ids[2]]


def test_a_report_writes_new_and_repeated_steps(study, other):
    trial = study.ask()
    report = find_tables(study._storage).report
    for step, value in ((1, 0.5), (1, 0.25), (2, math.inf), (3, -math.inf), (4, math.nan)):
        before = report(trial._trial_id, step, value, lambda trial: None)
        assert (step in before.intermediate_values) == ((step, value) == (1, 0.25))
    expected = {1: 0.25, 2: math.inf, 3: -math.inf, 4: math.nan}
    assert repr(other.trials[0].intermediate_values) == repr(expected)


def test_a_report_of_a_superseded_job_writes_nothing(study, other):
    def refuse(trial):
        raise SupersededError("taken over")

    trial = study.ask()
    with pytest.raises(SupersededError):
        find_tables(study._storage).report(trial._trial_id, 1, 0.5, refuse)
    assert other.trials[0].intermediate_values == {}
    other.tell(0, 1.0)  # the refused report left no lock


def test_a_parameter_of_a_trial_that_another_process_created_can_be_set(study, other):
    trial_id = other.ask()._trial_id
    distribution = optuna.distributions.IntDistribution(1, 9)
    study._storage.set_trial_param(trial_id, "n", 3, distribution)
    assert other.trials[0].params == {"n": 3}


def test_a_deleted_study_has_no_trials(study):
    study.tell(study.ask(), 0.0)
    assert len(study.trials) == 1
    optuna.delete_study(study_name="s", storage=study._storage)
    with pytest.raises(KeyError):
        study._storage.get_all_trials(study._study_id)


def test_other_storages_are_read_through_optuna(tmp_path, url):
    assert find_tables(open_storage(f"{tmp_path}/study.journal", 60)) is None
    assert find_tables(_CachedStorage(RDBStorage(url))) is None
    tables = find_tables(open_storage(url, 60))
    optuna.create_study(study_name="s", storage=tables)
    with pytest.raises(KeyError):
        tables.get_trial(-1, (PARAMS,))
