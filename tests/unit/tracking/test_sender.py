"""The sender: everything arrives, in order, whatever happens on the way."""

import json
import threading
from types import SimpleNamespace

import pytest

from framesweep.tracking import sender as module
from framesweep.tracking.outbox import Outbox
from framesweep.tracking.sender import LostRunError, Sender


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.005)


@pytest.fixture
def box(tmp_path):
    return Outbox(tmp_path / "outbox.jsonl")


def start_sender(outbox, write):
    return Sender(outbox, SimpleNamespace(write=write))


def _metrics(step):
    return {"kind": "metrics", "step": step}


def test_records_arrive_in_order(box):
    arrived = []
    sender = start_sender(box, lambda record: arrived.append(record["step"]))
    for step in range(50):
        box.append(_metrics(step))
    assert sender.close(10) == 0
    assert arrived == list(range(50))


def test_what_fails_for_now_is_sent_again_before_what_follows(box, caplog):
    arrived, attempts = [], []

    def write(record):
        attempts.append(record["step"])
        if attempts.count(1) in (1, 2, 3) and record["step"] == 1:
            raise ConnectionError("no route to http://ann:s3cret@host")
        arrived.append((record["step"], record.get("again", False)))

    sender = start_sender(box, write)
    for step in range(3):
        box.append(_metrics(step))
    assert sender.close(10) == 0
    assert arrived == [(0, False), (1, True), (2, False)]
    assert caplog.text.count("cannot be reached") == 1
    assert "s3cret" not in caplog.text


def test_what_is_refused_is_put_aside_and_the_rest_arrives(box):
    arrived = []

    def write(record):
        if record["step"] == 1:
            raise ValueError("not this one, http://ann:s3cret@host\nsecond line")
        arrived.append(record["step"])

    sender = start_sender(box, write)
    for step in range(3):
        box.append(_metrics(step))
    assert sender.close(10) == 0
    assert arrived == [0, 2]
    refused = box.path.with_name("refused.jsonl").read_text()
    assert json.loads(refused) == {
        "reason": "not this one, http://***@host",
        "kind": "metrics",
        "step": 1,
    }
    assert (sender.num_refused, sender.run_error) == (1, None)


def test_a_missing_file_does_not_hold_up_the_rest(box):
    arrived = []

    def write(record):
        if record["step"] == 0:
            raise FileNotFoundError("gone")
        arrived.append(record["step"])

    sender = start_sender(box, write)
    box.append(_metrics(0))
    box.append(_metrics(1))
    assert sender.close(10) == 0
    assert arrived == [1]


def test_close_gives_up_in_time_and_leaves_all_on_disk(box):
    def write(record):
        raise TimeoutError

    sender = start_sender(box, write)
    box.append(_metrics(0))
    box.append(_metrics(1))
    assert sender.close(0.05) == 2
    assert len(box.path.read_text().splitlines()) == 2


def test_attempted_tells_when_a_run_is_open_or_cannot_be(box):
    gate = threading.Event()
    sender = start_sender(box, lambda record: gate.wait(10))
    box.append({"kind": "start"})
    assert not sender.attempted.is_set()
    gate.set()
    assert sender.attempted.wait(10)
    sender.close(10)


def test_a_run_that_is_refused_is_told_as_such(box, caplog):
    def write(record):
        raise ValueError("no such experiment")

    sender = start_sender(box, write)
    box.append({"kind": "start"})
    assert sender.attempted.wait(10)
    assert str(sender.run_error) == "no such experiment"
    assert caplog.text == ""
    sender.close(10)


def test_a_run_that_is_refused_once_it_goes_on_is_warned_of_and_kept(box, caplog):
    """Tracking was away at the start; when it is back, it will not have the run."""
    errors = [ConnectionError("away"), ValueError("no such experiment")]

    def write(record):
        raise errors.pop(0)

    sender = start_sender(box, write)
    box.append({"kind": "start"})
    assert sender.attempted.wait(10)
    box.append(_metrics(1))
    assert sender.close(10) == 2
    assert caplog.text.count("does not take the run") == 1
    assert "no such experiment" in caplog.text
    kinds = [json.loads(line)["kind"] for line in box.path.read_text().splitlines()]
    assert kinds == ["start", "metrics"]
    assert not box.path.with_name("refused.jsonl").exists()


def test_what_is_logged_to_a_lost_run_is_kept(box, caplog):
    def write(record):
        if record["step"] == 1:
            raise LostRunError("http://host", "must have the run abc")

    sender = start_sender(box, write)
    sender.attempted.set()
    for step in range(4):
        box.append(_metrics(step))
    assert sender.close(10) == 3
    assert "must have the run abc" in caplog.text
    assert sender.num_refused == 0


def test_records_are_taken_on_after_the_run_was_lost(box):
    lost = threading.Event()

    def write(record):
        lost.set()
        raise LostRunError("http://host", "must have the run abc")

    sender = start_sender(box, write)
    box.append(_metrics(0))
    assert lost.wait(10)
    box.append(_metrics(1))
    assert sender.close(10) == 2
    assert len(box.path.read_text().splitlines()) == 2


def test_the_file_is_let_go_of_at_the_end(tmp_path):
    outbox = Outbox(tmp_path / "outbox.jsonl")
    sender = start_sender(outbox, lambda record: None)
    outbox.append({"kind": "start"})
    assert sender.close(10) == 0
    with pytest.raises(ValueError, match="closed file"):
        outbox.append({"kind": "metrics"})
