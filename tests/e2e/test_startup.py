"""Each command imports only what it needs, when it needs it, so that it responds quickly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TRAIN = str(REPOSITORY / "train.py")
FRAMESWEEP = str(Path(sys.executable).with_name("framesweep"))
SLOW = {"mlflow", "sqlalchemy", "optuna", "pandas", "sklearn", "matplotlib", "torch._dynamo"}
HEAVY = SLOW | {"torch", "numpy", "scipy"}
CONFIGS = {"hydra", "omegaconf"}
"""What composes configs, and takes a quarter of a second to import."""

UNTIL_THE_FIRST_STEP = """
import sys
from framesweep import cli
from framesweep.runs.callback import RunCallback

on_step = RunCallback.on_step

def print_modules(self, epoch, step, num_steps):
    if (epoch, step) == (1, 1):
        print("modules:", *sys.modules)
    on_step(self, epoch, step, num_steps)

RunCallback.on_step = print_modules
cli.train()
"""

COMMANDS = """
import sys
from framesweep import cli

for line in sys.stdin:
    sys.argv = ["framesweep", *line.split()]
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code
    print("modules:", *sys.modules)
"""


def answer(*command: str, folder: Path, **environment: str) -> str:
    """The command's output; fails where it imports any of HEAVY.

    Only train.py may compose configs.
    """
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
    assert ("hydra" in imported) == (command[0] == TRAIN)
    assert not imported & HEAVY
    if command[0] != TRAIN:
        assert "framesweep" in imported
        assert not imported & CONFIGS
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


def list_modules(script: str, *arguments: str, shell, lines: str = "") -> list[set[str]]:
    """The modules that were imported when the script printed them, each time it did so."""
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=lines,
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    printed = [line.split() for line in result.stdout.splitlines()]
    return [set(words) for words in printed if words[:1] == ["modules:"]]


def test_what_takes_seconds_to_import_is_imported_after_the_first_step(make_shell, tmp_path):
    shell = make_shell(tmp_path)
    (imported,) = list_modules(UNTIL_THE_FIRST_STEP, *shell.small, shell=shell)
    assert "torch" in imported
    assert not imported & SLOW
    (run,) = shell.runs
    lines = f"predict {run} --split test --out a.csv\nevaluate {run} --split dev --smooth\n"
    predicted, evaluated = list_modules(COMMANDS, shell=shell, lines=lines)
    assert "framesweep.evaluation.predictor" in predicted
    assert not (predicted | evaluated) & SLOW
    (compared,) = list_modules(COMMANDS, shell=shell, lines=f"compare {run} {run}\n")
    assert "mlflow" in compared
    assert not compared & {"torch", "optuna", "sklearn", "matplotlib", "torch._dynamo"}
