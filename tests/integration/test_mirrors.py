"""Training with mirrors that fail, hang or are missing: the run is as it would be without."""

import sys
from pathlib import Path
from typing import Any

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.errors import ConfigError
from framesweep.runs.run import run
from framesweep.tracking.mirrors import mirroring_tracker, packages
from framesweep.tracking.mirrors import open as opening
from framesweep.tracking.mirrors.mirror_process import MirrorProcess
from toy import ToyCorpus, write_hw1p2

register()
HANGS = "import signal\nwhile True: signal.pause()"
FAILS = "import os; os._exit(3)"


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())
    model = ["model.widths=[4]", "data.context=1", "train.epochs=2", "hardware=cpu"]
    return ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path / 'out'}", *model]


@pytest.mark.heavy
def test_mirrors_that_hang_or_crash_change_nothing_but_the_log(
    overrides: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = run(compose(overrides), tmp_path / "without")
    codes = {"wandb": HANGS, "tensorboard": FAILS}

    def start(name: str, mirrored: Any) -> MirrorProcess:
        return MirrorProcess(name, mirrored, [sys.executable, "-I", "-S", "-c", codes[name]])

    monkeypatch.setattr(opening, "MirrorProcess", start)
    monkeypatch.setattr(packages, "_is_installed", lambda name: True)
    monkeypatch.setattr(mirroring_tracker, "JOIN_SECONDS", 0.5)
    mirrored = compose([*overrides, "tracking.also=[wandb,tensorboard]"])
    assert run(mirrored, tmp_path / "with") == expected
    lost = [line for line in caplog.messages if "does not show the run any more" in line]
    assert sorted(line.split()[0] for line in lost) == ["tensorboard", "wandb"]
    assert (tmp_path / "with" / "tracking" / "outbox.jsonl").read_bytes() == b""


def test_a_missing_package_ends_the_run_before_it_begins(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_is_installed", lambda name: False)
    with pytest.raises(ConfigError, match=r"pip install 'framesweep\[wandb\]'") as raised:
        run(compose([*overrides, "tracking.also=[wandb]"]), tmp_path / "run")
    assert raised.value.exit_code == 2
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "out").exists(), "not even the corpus was prepared"
