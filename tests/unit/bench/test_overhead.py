"""The parts of a run that are not steps: start, memory and the ends of epochs."""

import json
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from framesweep.bench import overhead
from framesweep.bench.overhead import (
    measure_epoch_overhead,
    measure_help_seconds,
    measure_scale,
    run_probe,
)


@pytest.mark.parametrize(
    ("model", "context"), [("small", 1), ("tdnn", 31)], ids=["all frames", "every fourth frame"]
)
def test_the_shares_of_an_epoch_are_parts_of_a_whole(case, model, context) -> None:
    case = replace(case, model=model, context=context)
    result = measure_epoch_overhead(case, num_epochs=1)
    assert 0 < result["share of evaluation"] < 1
    assert 0 < result["share of the rest"] < 1
    assert result["share of evaluation"] + result["share of the rest"] < 1


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """Replaces child processes by a probe's output; returns their commands."""
    asked: list[list[str]] = []

    def run(command, **options):
        asked.append(command)
        return SimpleNamespace(stdout=f"a line of a log\n{json.dumps({'answer': 42})}\n")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_the_probe_prints_its_result_last(commands) -> None:
    assert run_probe(5, ["model=small"], cpu_time=True) == {"answer": 42}
    assert commands[0][2:] == ["framesweep.bench.probe", "cpu", "5", "model=small"]


def test_the_probe_learns_when_it_was_started(commands) -> None:
    run_probe(5, [], cpu_time=False)
    assert float(commands[0][3]) > 0


def test_help_is_measured_three_times(commands) -> None:
    assert measure_help_seconds() >= 0
    assert [command[-2:] for command in commands] == [["train", "--help"]] * 3


def test_scale_is_computed_from_a_cold_and_a_prepared_run(case, tmp_path, monkeypatch) -> None:
    probes = []

    def probe(num_steps, overrides, *, cpu_time):
        probes.append(num_steps)
        cold = len(probes) == 1
        return {
            "seconds": {"imports": 1.0, "first step": 9.0 if cold else 2.0, "last step": 6.0},
            "memory": {"imports": 100, "peak": 500 if cold else 300, "own": 50},
            "features": 100,
        }

    monkeypatch.setattr(overhead, "run_probe", probe)
    result = measure_scale(tmp_path, 3000, "float16", 5, case)
    assert probes == [1, 1, 5]
    assert result["first step beyond imports"] == 1.0
    assert result["first step, cold"] == 9.0
    assert result["seconds per step"] == 1.0
    assert result["peak over features"] == 3.0
    assert result["peak beyond imports over features"] == 2.0
    assert result["peak over features, cold"] == 5.0
