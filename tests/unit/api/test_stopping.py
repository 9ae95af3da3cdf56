"""What a signal raises from a call."""

import signal
from pathlib import Path

import pytest

from configs import compose
from framesweep.api.stopping import Stopped, one_line_stops
from framesweep.config.command_line import printed_as_calls
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.errors import Interrupted
from framesweep.system.signals import stop_request, take_late_signal

register()


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The directory of a run that has begun."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(dump(compose([])))
    return tmp_path


def call(error: BaseException | None = None, text: str = "", directory: Path | None = None):
    """Be called and stopped: by an error, or else after the last step of the run."""
    with printed_as_calls(), one_line_stops() as continuation:
        continuation.text, continuation.directory = text, directory
        if error is not None:
            raise error
        with stop_request():
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "error", [Interrupted(signal.SIGINT), KeyboardInterrupt(), KeyboardInterrupt("unseen")]
)
def test_a_stopped_call_is_one_line_with_the_call_that_continues(error):
    with pytest.raises(Stopped) as raised:
        call(error, 'fs.sweep(["a=1"]) continues the search')
    line = 'stopped by SIGINT; fs.sweep(["a=1"]) continues the search'
    assert str(raised.value) == line
    # What IPython prints in place of a traceback.
    assert raised.value._render_traceback_() == [f"KeyboardInterrupt: {line}"]


def test_a_stopped_run_is_resumed_by_the_call(directory):
    line = r'^stopped by SIGINT; fs\.train\(\["resume=\."\]\) resumes the run$'
    with pytest.raises(KeyboardInterrupt, match=line):
        call(Interrupted(signal.SIGINT), directory=directory)


def test_before_a_run_has_begun_there_is_nothing_to_continue(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"^stopped by SIGINT$"):
        call(KeyboardInterrupt(), directory=tmp_path)


def test_a_signal_that_came_too_late_is_raised_once_the_call_is_complete(directory):
    line = r'^stopped by SIGINT; the run is complete: fs\.load\("\."\)$'
    with pytest.raises(KeyboardInterrupt, match=line):
        call(directory=directory)
    with one_line_stops():
        pass


def test_a_signal_of_an_earlier_run_stops_no_later_call():
    with stop_request():
        signal.raise_signal(signal.SIGINT)
    with one_line_stops():
        pass
    assert take_late_signal() == 0


def test_credentials_in_the_overrides_are_hidden():
    with pytest.raises(KeyboardInterrupt, match=r"//\*\*\*@host/db"):
        call(KeyboardInterrupt(), "postgresql://me:secret@host/db")


def test_another_signal_reaches_its_own_handler_after_the_checkpoint():
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda signum, frame: seen.append(signum))
    stopped = KeyboardInterrupt()
    stopped.__cause__ = Interrupted(signal.SIGTERM)  # as a grid raises it
    try:
        with pytest.raises(Interrupted, match="stopped by SIGTERM; go on"):
            call(stopped, "go on")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
