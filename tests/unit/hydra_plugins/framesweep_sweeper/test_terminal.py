import io
import sys

from hydra_plugins.framesweep_sweeper._terminal import shows_bars


def test_a_command_that_a_notebook_starts_shows_no_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert not shows_bars()  # pytest captures it
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shows_bars()
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert not shows_bars()
