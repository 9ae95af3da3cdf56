"""The commands typed most often respond quickly: they import nothing that trains or tracks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TRAIN = str(REPOSITORY / "train.py")
FRAMESWEEP = str(Path(sys.executable).with_name("framesweep"))
HEAVY = {"torch", "mlflow", "optuna", "numpy", "pandas", "scipy", "sklearn", "matplotlib"}


def answer(*command: str, folder: Path, **environment: str) -> str:
    """The command's output; fails where it imports any of HEAVY."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "hydra" in imported
    assert not imported & HEAVY
    return result.stdout


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("--help", "model"), ("--hydra-help", "Flags"), ("--cfg=job", "batch_size")],
)
def test_help_and_config_are_printed_without_heavy_imports(tmp_path, argument, expected):
    assert expected in answer(TRAIN, argument, folder=tmp_path)


def test_every_command_prints_its_help_without_heavy_imports(tmp_path):
    assert "predict" in answer(FRAMESWEEP, "--help", folder=tmp_path)
    for command in ("predict", "best", "bench"):
        assert "Usage" in answer(FRAMESWEEP, command, "--help", folder=tmp_path)


def test_tab_completes_options_of_train(tmp_path):
    line = "python train.py model="
    variables = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    found = answer(TRAIN, "-sc", "query=bash", folder=tmp_path, **variables)
    assert {"model=base", "model=wide"} <= set(found.split())


def test_tab_completes_commands(tmp_path):
    variables = {"COMP_WORDS": "framesweep be", "COMP_CWORD": "1"}
    variables["_FRAMESWEEP_COMPLETE"] = "bash_complete"
    found = answer(FRAMESWEEP, folder=tmp_path, **variables)
    assert set(found.split()) == {"plain,best", "plain,bench"}
