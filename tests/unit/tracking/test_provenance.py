"""Tags and hashes that describe what a run came from."""

import subprocess
import sys
from pathlib import Path

import pytest

from framesweep import __version__
from framesweep.tracking import provenance as module
from framesweep.tracking.provenance import collect_provenance, hash_config


@pytest.fixture(autouse=True)
def clear_git_cache():
    module._git_tags.cache_clear()
    yield
    module._git_tags.cache_clear()


def test_tags_contain_command_line_and_directory_without_credentials(monkeypatch, tmp_path):
    arguments = ["train.py", "tracking.uri=http://ann:s3cret@host", "note=two words"]
    monkeypatch.setattr(sys, "argv", arguments)
    tags = collect_provenance(tmp_path / "run")
    command = tags["framesweep.command_line"]
    assert command == "python train.py tracking.uri=http://***@host 'note=two words'"
    assert tags["framesweep.run_dir"] == str(tmp_path / "run")
    assert tags["framesweep.version"] == __version__
    assert tags["framesweep.host"]
    assert all(isinstance(value, str) for value in tags.values())


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_tags_contain_the_commit_and_whether_files_were_changed(monkeypatch, tmp_path):
    _git(tmp_path, "init", "-q")
    code = tmp_path / "code.py"
    code.write_text("1")
    _git(tmp_path, "add", "code.py")
    _git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "code.py"))
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert module._git_tags() == {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.dirty": "false",
    }
    code.write_text("2")
    module._git_tags.cache_clear()
    assert module._git_tags()["mlflow.source.git.dirty"] == "true"


def test_there_are_no_git_tags_outside_of_a_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "code.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert module._git_tags() == {}


def test_config_hash_depends_only_on_params_that_can_change_a_result():
    params = {"data.context": 5, "data.root": "/a", "tracking.uri": None, "optim.lr": 1e-3}
    same = {**params, "data.root": "/b", "tracking.uri": "http://host", "outputs": "/c"}
    assert hash_config(params) == hash_config(dict(reversed(same.items())))
    assert hash_config(params) != hash_config({**params, "data.context": 6})
    assert hash_config(params) != hash_config({**params, "hardware.precision": "bf16"})
    assert hash_config(params) == hash_config({**params, "train.checkpoint_minutes": 1.0})
    assert len(hash_config(params)) == 16
