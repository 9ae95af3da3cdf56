"""No training step waits for an NVIDIA GPU, whatever the config; traced on fake tensors."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import fake_cuda
from fake_cuda.build import find_compiler

TESTS = Path(fake_cuda.__file__).parents[1]
CEILINGS = json.loads((TESTS / "fake_cuda" / "ceilings.json").read_text(encoding="utf-8"))

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(find_compiler() is None, reason="g++ is not installed"),
    pytest.mark.skipif(
        torch.version.cuda is not None, reason="a torch with CUDA takes no fake CUDA devices"
    ),
]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the steps of all configs do, traced in a process whose torch knows fake GPUs."""
    results = tmp_path_factory.mktemp("traces") / "results.json"
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "fake_cuda", str(results)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def test_a_trace_contains_what_a_step_must_not_do(traced: dict[str, Any]) -> None:
    offences = traced["offences"]
    assert len(offences["reads"]) == 2
    assert offences["copies"] == ["_to_copy ['cuda'] [(3,)]"]  # not the asynchronous one
    assert offences["on_cpu"] == ["add_"]


def test_all_configs_are_traced_and_have_a_ceiling(traced: dict[str, Any]) -> None:
    assert traced.keys() == {"offences", *CEILINGS}


@pytest.mark.parametrize("name", CEILINGS)
def test_a_step_neither_waits_for_the_gpu_nor_computes_on_the_cpu(
    traced: dict[str, Any], name: str
) -> None:
    found = traced[name]
    assert found["reads"] == []
    assert found["copies"] == []
    assert found["on_cpu"] == []


@pytest.mark.parametrize("name", CEILINGS)
def test_a_cuda_graph_would_contain_no_number_that_changes(
    traced: dict[str, Any], name: str
) -> None:
    if "evaluation" not in name:
        assert traced[name]["recorded"] > 50
    assert traced[name]["changing"] == []


@pytest.mark.parametrize("name", CEILINGS)
def test_a_step_takes_no_more_operations_than_before(traced: dict[str, Any], name: str) -> None:
    # If it takes fewer: PYTHONPATH=tests python -m fake_cuda --update
    assert traced[name]["operations"] <= CEILINGS[name], traced[name]["by_name"]
