import contextlib
import datetime

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.trials import _claims, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome

ELSEWHERE = Process("elsewhere", 1, "")
FAILED = JobOutcome(_trial_attrs.FAILED, reason="exception", message="ValueError: no")


def list_states(queue):
    return [trial.state.name for trial in queue.get_trials()]


def complete(value):
    return JobOutcome(_trial_attrs.COMPLETE, (value,))


def test_running_trials_count_towards_the_total(make_queue):
    one, other = make_queue(), make_queue()
    claims = [one.claim(3), other.claim(3), one.claim(3)]
    assert [claim.number for claim in claims] == [0, 1, 2]
    assert one.claim(3) is None
    assert other.claim(3) is None
    one.settle(claims[0], complete(0.5))
    other.settle(claims[1], JobOutcome(_trial_attrs.PRUNED))
    assert one.claim(3) is None
    assert one.claim(4).number == 3


def test_a_failed_trial_is_retried_then_given_up_and_replaced(make_queue):
    queue = make_queue(retries=1)
    claim = queue.claim(1)
    assert queue.settle(claim, FAILED).state is TrialState.WAITING
    again = queue.claim(1)
    assert (again.number, again.attempt, again.is_resumed) == (0, 2, True)
    trial = queue.settle(again, FAILED)
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs == {
        "attempts": 2,
        "failure_reason": "exception",
        "failure_message": "ValueError: no",
    }
    assert queue.claim(1).number == 1
    assert _trial_attrs.describe_failure(trial) == "exception: ValueError: no"


@pytest.mark.parametrize("reason", ["config", "bad_objective"])
def test_a_failure_that_would_recur_is_not_tried_again(make_queue, reason):
    queue = make_queue(retries=3)
    outcome = JobOutcome(_trial_attrs.FAILED, reason=reason, message="no")
    trial = queue.settle(queue.claim(1), outcome)
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["attempts"] == 1


def test_an_interrupted_trial_is_resumed_with_its_parameters_and_its_attempts(make_queue):
    queue = make_queue()
    claim = queue.claim(1)
    x = claim.trial.suggest_float("x", 0, 1)
    queue.settle(claim, JobOutcome(_trial_attrs.INTERRUPTED))
    again = make_queue().claim(1)
    assert (again.number, again.attempt, again.is_resumed) == (0, 1, True)
    assert again.trial.suggest_float("x", 0, 1) == x


def test_the_trials_of_a_dead_sweeper_are_taken_over(make_queue, storage, dead):
    claims = [make_queue().claim(3) for _ in range(3)]
    for claim in claims:
        _trial_attrs.write_claim(storage, claim.trial_id, 1, dead)
    _trial_attrs.write_worker(storage, claims[0].trial_id, 1, dead)
    _trial_attrs.write_outcome(storage, claims[1].trial_id, 1, complete(0.7))
    _trial_attrs.write_worker(storage, claims[2].trial_id, 1, ELSEWHERE)
    queue = make_queue()
    again = queue.claim(3)
    # The first is resumed; the second had ended; the third still runs on another machine.
    assert (again.number, again.serial) == (0, 2)
    assert list_states(queue) == ["RUNNING", "COMPLETE", "RUNNING"]
    assert queue.get_trials()[1].value == 0.7
    assert queue.claim(3) is None


def test_a_trial_without_heartbeats_is_taken_over_from_any_machine(
    make_queue, storage, monkeypatch
):
    claim = make_queue().claim(1)
    _trial_attrs.write_claim(storage, claim.trial_id, 1, ELSEWHERE)
    storage.inner.record_heartbeat(claim.trial_id)
    assert make_queue().claim(1) is None
    backend = storage.inner._backend
    monkeypatch.setattr(backend, "_get_stale_trial_ids", lambda study_id: [claim.trial_id])
    monkeypatch.setattr(
        storage.inner, "_get_stale_trial_ids", lambda study_id: [claim.trial_id], raising=False
    )
    assert make_queue().claim(1).serial == 2


def test_a_superseded_sweeper_settles_nothing(make_queue, storage, dead):
    late, quick = make_queue(), make_queue()
    old = late.claim(1)
    _trial_attrs.write_claim(storage, old.trial_id, 1, dead)
    new = quick.claim(1)
    assert new.number == old.number
    late.settle(old, complete(0.1))
    assert list_states(quick) == ["RUNNING"]
    assert late.read_outcome(old) is None
    assert quick.settle(new, complete(0.2)).value == 0.2
    late.settle(old, complete(0.1))
    assert quick.get_trials()[0].value == 0.2


def test_a_duplicate_gets_the_result_and_the_steps_of_its_original(make_queue, storage):
    queue = make_queue()
    first, second, third = (queue.claim(3) for _ in range(3))
    for claim in (first, second):
        claim.trial.suggest_categorical("a", [1])
    third.trial.suggest_categorical("a", [1])
    third.trial.suggest_categorical("b", [1])
    assert queue.find_original(first) is None
    assert queue.find_original(second).number == first.number
    assert queue.find_original(third) is None
    storage.set_trial_intermediate_value(first.trial_id, 1, 0.25)
    original = queue.settle(first, JobOutcome(_trial_attrs.PRUNED))
    queue.copy_result(second, original)
    copied = queue.get_trial(second)
    assert copied.state is TrialState.PRUNED
    assert copied.intermediate_values == {1: 0.25}
    assert copied.user_attrs["duplicate_of"] == first.number


@pytest.mark.parametrize("seconds", [0, 11])
def test_a_trial_whose_sweeper_died_before_claiming_it_is_claimed(
    make_queue, seconds, monkeypatch
):
    queue = make_queue()
    trial = queue.study.ask()
    start = datetime.datetime.now() - datetime.timedelta(seconds=seconds)
    real = _claims.list_running

    def list_aged_trials(*arguments):
        found = real(*arguments)
        for one in found:
            one.datetime_start = start
        return found

    monkeypatch.setattr(_claims, "list_running", list_aged_trials)
    claim = queue.claim(1)
    assert (claim is None) == (seconds == 0)
    assert claim is None or claim.number == trial.number


def test_a_claim_is_given_back_if_the_lock_was_lost(make_queue, monkeypatch):
    queue, other = make_queue(), make_queue()
    real = queue.lock.hold
    answers = [False, True]

    @contextlib.contextmanager
    def hold_and_lose():
        with real():
            yield lambda: answers.pop(0)

    monkeypatch.setattr(queue.lock, "hold", hold_and_lose)
    claim = queue.claim(1)
    assert (claim.number, claim.serial) == (0, 2)
    assert list_states(queue) == ["RUNNING"]
    assert other.claim(1) is None

    answers[:] = [False]
    monkeypatch.setattr(queue, "_has_work", lambda total: False)
    assert queue.claim(2) is None
    assert list_states(queue) == ["RUNNING", "WAITING"]
    assert other.claim(2).number == 1


def test_the_sampler_is_made_once_from_the_number_of_trials_that_have_begun(make_queue):
    make_queue().claim(3)
    queue, asked = make_queue(), []
    sampler = queue.study.sampler
    queue._make_sampler = lambda num_begun: asked.append(num_begun) or sampler
    queue.claim(3)
    queue.claim(3)
    assert asked == [1]


@pytest.mark.parametrize("multivariate", [False, True])
def test_a_database_read_in_bulk_yields_the_points_of_a_storage_read_through_optuna(
    tmp_path, multivariate
):
    url = f"sqlite:///{tmp_path}/studies.db"

    def run(storage):
        study = optuna.create_study(
            study_name="s", storage=storage, pruner=optuna.pruners.HyperbandPruner(1, 9, 3)
        )
        sampler = optuna.samplers.TPESampler(
            multivariate=multivariate, constant_liar=True, n_startup_trials=3, seed=1
        )
        queue = TrialQueue(study, storage, StorageLock(url), lambda _: sampler, 1, 60)
        claims = []
        for number in range(10):
            claim = queue.claim(100)
            x = claim.trial.suggest_float("x", 0, 1) + claim.trial.suggest_int("n", 1, 3)
            claim.trial.report(x, 1)
            claims.append(claim)
            if number > 1:
                state = _trial_attrs.PRUNED if number % 3 else _trial_attrs.COMPLETE
                values = () if number % 3 else (x,)
                queue.settle(claims.pop(0), JobOutcome(state, values))
        return [trial.params for trial in study.trials]

    assert run(open_storage(url, 60)) == run(InMemoryStorage())


@pytest.mark.parametrize("state", [_trial_attrs.COMPLETE, _trial_attrs.FAILED])
def test_a_result_counts_although_the_trial_was_taken_over_until_it_is_claimed(
    make_queue, state
):
    queue = make_queue(retries=0)
    claim = queue.claim(1)
    queue.storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
    outcome = JobOutcome(state, (0.5,) if state == _trial_attrs.COMPLETE else (), "config")
    assert queue.settle(claim, outcome).state.name == state


def test_a_result_that_is_recorded_after_the_trial_was_taken_over_is_not_computed_again(
    make_queue,
):
    one, other = make_queue(), make_queue()
    claim = one.claim(2)
    one.storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
    _trial_attrs.write_outcome(one.storage, claim.trial_id, claim.serial, complete(0.5))
    assert other.claim(2).number == 1
    assert one.get_trial(claim).values == [0.5]
    # An interrupted job is run again, and its record does not count as a result.
    claim = one.claim(3)
    _trial_attrs.write_outcome(
        one.storage, claim.trial_id, claim.serial, JobOutcome(_trial_attrs.INTERRUPTED)
    )
    one.settle(claim, JobOutcome(_trial_attrs.INTERRUPTED))
    again = other.claim(3)
    assert (again.number, again.serial) == (claim.number, 2)
