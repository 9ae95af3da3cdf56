import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome, TrialAttrs

SWEEPER = Process("laptop", 10, "500", "boot/pid:[1]")
WORKER = Process("node7", 20, "600", "boot/pid:[2]")
FAILED = JobOutcome(_trial_attrs.FAILED, reason="killed", message="worker killed by SIGKILL")

# What version 0.1 wrote. Studies are resumed by later versions, so this must stay readable.
STORED = {
    "framesweep:claim": {
        "serial": 2,
        "sweeper": {
            "host": "laptop",
            "pid": 10,
            "started": "500",
            "place": "boot/pid:[1]",
        },
    },
    "framesweep:worker": {
        "serial": 2,
        "host": "node7",
        "pid": 20,
        "started": "600",
        "place": "boot/pid:[2]",
    },
    "framesweep:outcome": {
        "serial": 2,
        "state": "COMPLETE",
        "values": [0.5],
        "reason": "",
        "message": "",
    },
    "framesweep:failures": [["killed", "worker killed by SIGKILL"]],
}
READ = TrialAttrs(
    claims=2,
    sweeper=SWEEPER,
    worker=WORKER,
    outcome=JobOutcome("COMPLETE", (0.5,)),
    failures=(("killed", "worker killed by SIGKILL"),),
)


@pytest.fixture
def storage():
    return InMemoryStorage()


@pytest.fixture
def trial_id(storage):
    return storage.create_new_trial(storage.create_new_study([StudyDirection.MAXIMIZE]))


def test_records_are_stored_in_the_form_of_version_0_1(storage, trial_id):
    _trial_attrs.write_claim(storage, trial_id, 2, SWEEPER)
    _trial_attrs.write_worker(storage, trial_id, 2, WORKER)
    _trial_attrs.write_outcome(storage, trial_id, 2, JobOutcome("COMPLETE", (0.5,)))
    attrs = _trial_attrs.read(storage.get_trial(trial_id))
    _trial_attrs.write_failure(storage, trial_id, attrs, FAILED)
    stored = storage.get_trial(trial_id).system_attrs
    as_json = {key: [list(x) for x in v] if type(v) is list else v for key, v in stored.items()}
    # A version that knows only the keys of 0.1 finds the records of later claims there, too.
    assert STORED.items() <= as_json.items()
    assert as_json.keys() - STORED.keys() == {"framesweep:worker:2", "framesweep:outcome:2"}
    assert storage.get_trial(trial_id).user_attrs == {
        "failure_reason": "killed",
        "failure_message": "worker killed by SIGKILL",
    }


def test_records_of_version_0_1_are_read(storage, trial_id):
    for key, value in STORED.items():
        storage.set_trial_system_attr(trial_id, key, value)
    attrs = _trial_attrs.read(storage.get_trial(trial_id))
    assert attrs == READ
    assert attrs.attempt == 2


def test_a_trial_without_records_was_never_claimed(storage, trial_id):
    attrs = _trial_attrs.read(storage.get_trial(trial_id))
    assert attrs == TrialAttrs(0, None, None, None, ())
    assert attrs.attempt == 1
    assert not attrs.is_abandoned()


def test_records_of_an_earlier_claim_no_longer_count(storage, trial_id):
    _trial_attrs.write_claim(storage, trial_id, 1, SWEEPER)
    _trial_attrs.write_worker(storage, trial_id, 1, WORKER)
    _trial_attrs.write_outcome(storage, trial_id, 1, FAILED)
    _trial_attrs.write_claim(storage, trial_id, 2, SWEEPER)
    attrs = _trial_attrs.read(storage.get_trial(trial_id))
    assert (attrs.claims, attrs.worker, attrs.outcome) == (2, None, None)


def test_a_superseded_worker_cannot_replace_the_records_of_its_successor(storage, trial_id):
    _trial_attrs.write_claim(storage, trial_id, 2, SWEEPER)
    _trial_attrs.write_worker(storage, trial_id, 2, WORKER)
    _trial_attrs.write_outcome(storage, trial_id, 2, JobOutcome("COMPLETE", (0.5,)))
    _trial_attrs.write_worker(storage, trial_id, 1, SWEEPER)
    _trial_attrs.write_outcome(storage, trial_id, 1, FAILED)
    attrs = _trial_attrs.read(storage.get_trial(trial_id))
    assert (attrs.worker, attrs.outcome) == (WORKER, JobOutcome("COMPLETE", (0.5,)))


def test_a_trial_is_abandoned_once_sweeper_and_worker_are_dead(dead):
    me = Process.current()
    for sweeper, worker, is_abandoned in [
        (dead, None, True),
        (dead, dead, True),
        (dead, me, False),
        (me, dead, False),
        (dead, WORKER, False),
    ]:
        assert TrialAttrs(1, sweeper, worker, None, ()).is_abandoned() is is_abandoned
