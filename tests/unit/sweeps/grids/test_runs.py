"""The ranking of a grid's runs."""

import math
from pathlib import Path

from framesweep.sweeps.grids.runs import rank_runs, swept_values
from framesweep.tracking import RunInfo


def run(name: str, value: float | None, status: str = "FINISHED") -> RunInfo:
    params = {"_swept/data.context": "5", "seed": "0"}
    metrics = {} if value is None else {"best/accuracy": value}
    return RunInfo(name, name, status, Path(), params, metrics, {})


def test_finished_runs_with_a_result_are_ranked():
    runs = [
        run("a", 0.5),
        run("b", 0.7),
        run("c", 0.9, "FAILED"),
        run("d", None),
        run("e", math.nan),
    ]
    best_first = rank_runs(runs, "best/accuracy", maximize=True)
    assert [one.name for one in best_first] == ["b", "a"]
    assert rank_runs(runs, "best/accuracy", maximize=False) == best_first[::-1]


def test_swept_values_are_named_by_their_keys():
    assert swept_values(run("a", 0.5)) == {"data.context": "5"}
