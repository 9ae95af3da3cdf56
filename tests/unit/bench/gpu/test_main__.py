"""The rehearsal of `make gpu` runs on a CPU, with the packages of a bare GPU machine only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framesweep.bench.gpu.__main__ import main

SRC = Path(__file__).parents[4] / "src"
# Not filelock, which torch itself requires.
MISSING = (
    *("hydra", "omegaconf", "antlr4", "yaml", "click", "rich", "mlflow", "optuna"),
    *("soundfile", "kaldi_native_fbank", "kaldiio", "espeakng_loader"),
    *("sqlalchemy", "tenacity", "cloudpickle", "joblib"),
)
HOOK = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {MISSING}:
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Missing())
"""


def rehearse(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "hook").mkdir()
    # Python imports it at its start, in the processes that the rehearsal starts as well.
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    path = os.pathsep.join(map(str, (tmp_path / "hook", SRC)))
    command = [sys.executable, "-m", "framesweep.bench.gpu", "--device=cpu", *options]
    return subprocess.run(
        [*command, f"--json={tmp_path / 'gpu.json'}"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.heavy
def test_the_rehearsal_passes_without_the_packages_that_a_gpu_machine_lacks(tmp_path):
    done = rehearse(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert not any(r.get("note", "").startswith("skipped") for r in results)
    checked = {r["section"] for r in results if r["ok"]}
    assert checked == {
        *("CPU", "kill -9 and resume", "no wait in 20 steps", "streamed features"),
        "two workers on one device",
    }
    measured = {r["section"] for r in results if "ms" in r}
    assert {"base, batch 32", "hw1p2, batch 32", "evaluation"} <= measured
    assert done.stdout.rstrip().endswith("gpu.json")


def test_a_part_of_it_runs_without_those_packages(tmp_path):
    done = rehearse(tmp_path, "--only=CPU: base")
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert result["ok"] is True


def test_a_failed_check_is_the_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("framesweep.bench.gpu.checks.TOLERANCE", -1.0)
    options = ["--device=cpu", "--only=CPU: base", f"--json={tmp_path / 'gpu.json'}"]
    assert main(options) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_machine_without_a_gpu_is_told_so_in_a_line(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("--device: must be cpu, ")
