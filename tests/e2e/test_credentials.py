"""A password in a URI gets into no file and onto no screen; a resumed run asks for it anew."""

import contextlib
import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from configs import compose
from framesweep.config.composition import dump, load, register
from framesweep.credentials import URI_VARIABLE
from framesweep.errors import ConfigError
from framesweep.tracking.mlflow_store import resolve_tracking_uri
from processes import process_tree

PASSWORD = "s3cret-pass"
AWAY = f"http://ann:{PASSWORD}@127.0.0.1:1"


def files_with(text: str, folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


@pytest.mark.heavy
def test_a_password_is_stored_and_printed_nowhere(shell):
    """A grid of one run, whose tracking server is away."""
    arguments = [*shell.small, f"tracking.uri={AWAY}", f"+tracking.tags.from={AWAY}"]
    result = shell.train("-m", *arguments, "train.epochs=1", "seed=1")
    said = result.stdout + result.stderr
    assert PASSWORD not in said
    assert "http://***@127.0.0.1:1" in said
    assert "Retrying" not in said
    assert files_with(PASSWORD, shell.folder) == []
    assert [path for path in shell.folder.rglob("*") if path.stat().st_mode & 0o077] == []
    names = {p.name for p in files_with("http://***@127.0.0.1:1", shell.folder)}
    assert {"config.yaml", "multirun.yaml", "outbox.jsonl"} <= names


def watch_arguments(process: subprocess.Popen) -> set[str]:
    """Return the arguments of all descendants that a process has until it ends."""
    found = set()
    while process.poll() is None:
        for pid in process_tree(process.pid)[1:]:
            with contextlib.suppress(OSError):
                found.add(Path(f"/proc/{pid}/cmdline").read_text())
        time.sleep(0.05)
    return found


@pytest.mark.heavy
def test_a_search_keeps_a_password_out_of_its_study_and_of_the_process_list(shell):
    """A trial in a worker process, whose tracking server is away."""
    log = shell.folder / "console.log"
    with log.open("w") as console:
        process = shell.start(
            *["-m", "sweep=bare", *shell.small, "train.epochs=1", "hydra.sweeper.n_trials=1"],
            *[f"tracking.uri={AWAY}", f"+tracking.tags.from={AWAY}", "seed=choice(1)"],
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        arguments = watch_arguments(process)
    assert process.returncode == 0, log.read_text()
    assert any("framesweep_sweeper.workers" in text for text in arguments)
    assert not [text for text in arguments if PASSWORD in text]
    assert files_with(PASSWORD, shell.folder) == []
    with contextlib.closing(sqlite3.connect(shell.folder / "outputs" / "studies.db")) as study:
        rows = study.execute("select value_json from trial_user_attributes").fetchall()
    assert "***@127.0.0.1" in str(rows)
    assert PASSWORD not in str(rows)
    assert [path for path in shell.folder.rglob("*") if path.stat().st_mode & 0o077] == [log]


@pytest.mark.parametrize(
    "argument",
    [f"tracking.uri={AWAY}?a=b", f"+tracking.uri={AWAY}", f"tracking.url={AWAY}"],
)
def test_a_rejected_override_is_printed_without_its_password(shell, argument):
    errors = shell.train(*shell.small, argument, "train.epochs=x", code=2).stderr
    assert PASSWORD not in errors
    (line,) = errors.splitlines()
    assert line.startswith("error: t")


def test_a_saved_config_differs_only_in_its_passwords():
    register()
    config = compose(["tracking.uri=http://ann:pw@host:5000", "tracking.run_name=one"])
    saved = load(dump(config), [], "config.yaml")
    assert saved.tracking.uri == "http://***@host:5000"
    saved.tracking.uri = config.tracking.uri
    assert saved == config


def test_the_environment_gives_the_uri_that_the_config_leaves_out(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(URI_VARIABLE)):
        resolve_tracking_uri("http://***@host", tmp_path)
    monkeypatch.setenv(URI_VARIABLE, "http://ann:pw@host")
    assert resolve_tracking_uri("http://***@host", tmp_path) == "http://ann:pw@host"
    assert resolve_tracking_uri(None, tmp_path) == "http://ann:pw@host"
    assert resolve_tracking_uri("http://other", tmp_path) == "http://other"
