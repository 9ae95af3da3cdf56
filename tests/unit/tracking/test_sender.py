"""The sender delivers every record in order, through errors of every kind."""

import errno
import json
import threading
import time
from types import SimpleNamespace

import pytest

from framesweep.errors import LostRunError
from framesweep.tracking import sender as module
from framesweep.tracking.outbox import Outbox
from framesweep.tracking.sender import Sender


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.005)


@pytest.fixture
def box(tmp_path):
    return Outbox(tmp_path / "outbox.jsonl")


def start_sender(outbox, write):
    return Sender(outbox, SimpleNamespace(write=write))


def failing(error):
    """Return what writes no record."""

    def write(record):
        raise error

    return write


def _metrics(step):
    return {"kind": "metrics", "step": step}


def test_records_are_sent_in_order(box):
    arrived = []
    sender = start_sender(box, lambda record: arrived.append(record["step"]))
    for step in range(50):
        box.append(_metrics(step))
    assert sender.close(60) == 0
    assert arrived == list(range(50))


def test_a_record_is_retried_before_later_records_while_tracking_is_unreachable(box, caplog):
    arrived, attempts = [], []

    def write(record):
        attempts.append(record["step"])
        if attempts.count(1) in (1, 2, 3) and record["step"] == 1:
            raise ConnectionError("no route to http://ann:s3cret@host")
        arrived.append((record["step"], record.get("again", False)))

    sender = start_sender(box, write)
    for step in range(3):
        box.append(_metrics(step))
    assert sender.close(60) == 0
    assert arrived == [(0, False), (1, True), (2, False)]
    assert caplog.text.count("cannot be reached") == 1
    assert "s3cret" not in caplog.text


def test_waits_between_attempts_double_up_to_the_longest(box, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(module, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(module, "LONGEST_WAIT", 3.0)
    monkeypatch.setattr(module, "sleep_using_event", lambda event: waits.append)
    errors = [ConnectionError("away")] * 4

    def write(record):
        if errors:
            raise errors.pop()

    sender = start_sender(box, write)
    box.append(_metrics(0))
    assert sender.close(60) == 0
    assert waits == [1.0, 2.0, 3.0, 3.0]


def test_waits_start_small_again_for_each_record(box, monkeypatch):
    waits: list[float] = []
    attempts = []
    monkeypatch.setattr(module, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(module, "LONGEST_WAIT", 3.0)
    monkeypatch.setattr(module, "sleep_using_event", lambda event: waits.append)

    def write(record):
        attempts.append(record["step"])
        if attempts.count(record["step"]) == 1:
            raise ConnectionError("away")

    sender = start_sender(box, write)
    box.append(_metrics(0))
    box.append(_metrics(1))
    assert sender.close(60) == 0
    assert waits == [1.0, 1.0]


def test_close_ends_a_long_wait_without_another_attempt(box, monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 60.0)
    monkeypatch.setattr(module, "LONGEST_WAIT", 60.0)
    attempts = []

    def write(record):
        attempts.append(record)
        raise ConnectionError("away")

    sender = start_sender(box, write)
    box.append({"kind": "start"})
    assert sender.open_attempted.wait(60)
    assert sender.close(0.01) == 1
    sender._thread.join(60)
    assert not sender._thread.is_alive()
    assert len(attempts) == 1


FULL = [
    ConnectionError("(sqlite3.OperationalError) database or disk is full"),
    ConnectionError("(sqlite3.OperationalError) disk I/O error"),
    OSError(errno.EFBIG, "File too large"),
]


@pytest.mark.parametrize("error", FULL)
@pytest.mark.parametrize("is_known", [True, False])
def test_close_does_not_wait_for_a_full_disk(box, monkeypatch, error, is_known):
    monkeypatch.setattr(module, "FIRST_WAIT", 60.0)
    monkeypatch.setattr(module, "LONGEST_WAIT", 60.0)
    is_closing = threading.Event()

    def write(record):
        if not is_known:
            assert is_closing.wait(60)
        raise error

    sender = start_sender(box, write)
    box.append({"kind": "start"})
    if is_known:
        assert sender.open_attempted.wait(60)
    close = box.close
    monkeypatch.setattr(box, "close", lambda: (close(), is_closing.set()))
    began = time.monotonic()
    assert sender.close(40) == 1
    assert time.monotonic() - began < 20
    assert not sender._thread.is_alive()


def test_a_line_says_that_the_end_waits_for_tracking(box, caplog):
    sender = start_sender(box, failing(ConnectionError("database is locked")))
    box.append({"kind": "start"})
    assert sender.open_attempted.wait(60)
    with caplog.at_level("INFO"):
        assert sender.close(0.01) == 1
    assert "Waiting up to 0 s for tracking" in caplog.text


def test_an_upload_that_fails_because_the_process_ends_stays_in_the_outbox(box):
    is_uploading, is_ending = threading.Event(), threading.Event()

    def write(record):
        is_uploading.set()
        assert is_ending.wait(60)
        raise FileNotFoundError("the exit deleted the temporary folder")

    sender = start_sender(box, write)
    box.append({"kind": "model", "path": "model"})
    assert is_uploading.wait(60)
    assert sender.close(0.01) == 1
    is_ending.set()
    sender._thread.join(60)
    assert len(box) == 1
    assert sender.num_refused == 0
    assert not box.path.with_name("refused.jsonl").exists()


def test_a_refused_record_is_put_aside_and_the_rest_is_sent(box):
    arrived = []

    def write(record):
        if record["step"] == 1:
            raise ValueError("not this one, http://ann:s3cret@host\nsecond line")
        arrived.append(record["step"])

    sender = start_sender(box, write)
    for step in range(3):
        box.append(_metrics(step))
    assert sender.close(60) == 0
    assert arrived == [0, 2]
    refused = box.path.with_name("refused.jsonl").read_text()
    assert json.loads(refused) == {
        "reason": "not this one, http://***@host",
        "kind": "metrics",
        "step": 1,
    }
    assert (sender.num_refused, sender.run_error) == (1, None)


def test_a_missing_file_does_not_block_later_records(box):
    arrived = []

    def write(record):
        if record["step"] == 0:
            raise FileNotFoundError("gone")
        arrived.append(record["step"])

    sender = start_sender(box, write)
    box.append(_metrics(0))
    box.append(_metrics(1))
    assert sender.close(60) == 0
    assert arrived == [1]


def test_close_stops_waiting_in_time_and_leaves_unsent_records_on_disk(box):
    sender = start_sender(box, failing(TimeoutError))
    box.append(_metrics(0))
    box.append(_metrics(1))
    assert sender.close(0.05) == 2
    assert len(box.path.read_text().splitlines()) == 2


def test_open_attempted_is_set_once_the_run_is_open(box):
    gate = threading.Event()
    sender = start_sender(box, lambda record: gate.wait(60))
    box.append({"kind": "start"})
    assert not sender.open_attempted.is_set()
    gate.set()
    assert sender.open_attempted.wait(60)
    sender.close(60)


def test_an_error_of_the_start_record_becomes_the_run_error(box, caplog):
    sender = start_sender(box, failing(ValueError("no such experiment")))
    box.append({"kind": "start"})
    assert sender.open_attempted.wait(60)
    assert str(sender.run_error) == "no such experiment"
    assert caplog.text == ""
    sender.close(60)


def test_a_run_that_is_refused_after_tracking_is_back_keeps_its_records(box, caplog):
    """Tracking is unreachable at the start, and refuses the run once it is back."""
    errors = [ConnectionError("away"), ValueError("no such experiment")]

    def write(record):
        raise errors.pop(0)

    sender = start_sender(box, write)
    box.append({"kind": "start"})
    assert sender.open_attempted.wait(60)
    box.append(_metrics(1))
    assert sender.close(60) == 2
    assert caplog.text.count("does not accept the run") == 1
    assert "no such experiment" in caplog.text
    kinds = [json.loads(line)["kind"] for line in box.path.read_text().splitlines()]
    assert kinds == ["start", "metrics"]
    assert not box.path.with_name("refused.jsonl").exists()


def test_records_of_a_lost_run_are_kept(box, caplog):
    def write(record):
        if record["step"] == 1:
            raise LostRunError("http://host", "must have the run abc")

    sender = start_sender(box, write)
    sender.open_attempted.set()
    for step in range(4):
        box.append(_metrics(step))
    assert sender.close(60) == 3
    assert "must have the run abc" in caplog.text
    assert sender.num_refused == 0


def test_records_logged_after_the_run_was_lost_are_kept_too(box):
    lost = threading.Event()

    def write(record):
        lost.set()
        raise LostRunError("http://host", "must have the run abc")

    sender = start_sender(box, write)
    box.append(_metrics(0))
    assert lost.wait(60)
    box.append(_metrics(1))
    assert sender.close(60) == 2
    assert len(box.path.read_text().splitlines()) == 2


def test_nothing_is_sent_once_the_run_belongs_to_another_process(box):
    arrived, owned = [], [True, True, False]
    sender = Sender(
        box,
        SimpleNamespace(write=lambda record: arrived.append(record["step"])),
        lambda: owned.pop(0),
    )
    for step in range(4):
        box.append(_metrics(step))
    assert sender.close(60) == 2
    assert arrived == [0, 1]
    assert sender.open_attempted.is_set()


def _supersede(box, kind, error=None):
    """Send a record while another process takes the run over; return what was called."""
    calls, owned = [], [True]

    def write(record):
        calls.append(record["kind"])
        owned[0] = False
        if error is not None:
            raise error

    def restore():
        calls.append("restore")
        if calls.count("restore") == 1:
            raise ConnectionError("for a moment")

    writer = SimpleNamespace(write=write, restore=restore)
    sender = Sender(box, writer, lambda: owned[0])
    for each in (kind, "tags"):
        box.append({"kind": each})
    sender.open_attempted.wait(60)
    sender.leave()
    return calls


@pytest.mark.parametrize("error", [None, ConnectionError("its answer got lost")])
@pytest.mark.parametrize("kind", ["start", "resume"])
def test_what_arrives_after_the_run_was_taken_over_is_undone(box, kind, error):
    """As if this process had been suspended within the request."""
    assert _supersede(box, kind, error) == [kind, "restore", "restore"]


def test_a_status_of_the_owner_is_not_undone(box):
    calls = []
    writer = SimpleNamespace(write=lambda record: calls.append(record["kind"]))
    sender = Sender(box, writer)
    box.append({"kind": "status"})
    assert sender.close(60) == 0
    assert calls == ["status"]


def test_a_record_that_is_refused_after_the_run_was_taken_over_is_not_put_aside(box):
    """Its successor sends that record itself, and may have replaced the file it names."""
    owned = [True]

    def write(record):
        owned[0] = False
        raise FileNotFoundError("replaced")

    sender = Sender(box, SimpleNamespace(write=write), lambda: owned[0])
    box.append({"kind": "artifact"})
    assert sender.close(60) == 1
    assert not box.path.with_name("refused.jsonl").exists()


def test_the_file_is_closed_when_everything_was_sent(tmp_path):
    outbox = Outbox(tmp_path / "outbox.jsonl")
    sender = start_sender(outbox, lambda record: None)
    outbox.append({"kind": "start"})
    assert sender.close(60) == 0
    with pytest.raises(ValueError, match="closed file"):
        outbox.append({"kind": "metrics"})
