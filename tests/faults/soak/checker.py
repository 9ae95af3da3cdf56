"""What must hold after a storm: everything exactly once, and equal to what calm gives."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from faults.results import hash_state, hash_weights

Metrics = dict[tuple[str, int], list[float]]


@dataclass
class TrackedRun:
    """A run as MLflow has it.

    Attributes:
        metrics: the values by name and epoch; more than one if an epoch was logged twice.
        artifacts: the paths of its artifacts, those of its model included.
        num_models: the number of models that were logged and not deleted.
    """

    status: str
    tags: dict[str, str]
    metrics: Metrics = field(default_factory=lambda: defaultdict(list))
    artifacts: set[str] = field(default_factory=set)
    num_models: int = 0

    @property
    def curves(self) -> dict[tuple[str, int], float]:
        """Its metrics without speeds, by name and epoch."""
        return {key: v[0] for key, v in self.metrics.items() if "second" not in key[0]}

    @property
    def num_repeated(self) -> int:
        """The number of metrics that were logged more than once."""
        return sum(len(values) - 1 for values in self.metrics.values())


def read_tracked_runs(url: str, artifacts: Path) -> list[TrackedRun]:
    """Return MLflow's runs from its database and its folder of artifacts."""
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:

        def query(statement: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(statement))]

        runs = {
            run_id: TrackedRun(status, {})
            for run_id, status in query(
                "select run_uuid, status from runs where lifecycle_stage = 'active'"
            )
        }
        for run_id, key, value in query("select run_uuid, key, value from tags"):
            if run_id in runs:
                runs[run_id].tags[key] = value
        for run_id, *key, value in query("select run_uuid, key, step, value from metrics"):
            if run_id in runs:
                runs[run_id].metrics[key[0], key[1]].append(value)
        for run_id, model_id in query(
            "select source_run_id, model_id from logged_models where lifecycle_stage = 'active'"
        ):
            runs[run_id].num_models += 1
            runs[run_id].artifacts |= _list_files(artifacts, model_id, "model/")
    engine.dispose()
    for run_id, run in runs.items():
        run.artifacts |= _list_files(artifacts, run_id)
    return list(runs.values())


def _list_files(root: Path, name: str, prefix: str = "") -> set[str]:
    """Return the files in the folder of a run's or model's artifacts, without its code."""
    found = [path for path in root.rglob(name) if path.is_dir()]
    files = (p for folder in found for p in (folder / "artifacts").rglob("*") if p.is_file())
    paths = {prefix + str(p).partition(f"{name}/artifacts/")[2] for p in files}
    return {path for path in paths if not path.startswith("model/code/")}


def read_sweep(storage: str, study: str, folder: Path, tracked: list[TrackedRun]) -> Any:
    """Return the results of a sweep's trials, by their params, and those of its parent run."""
    parents = [run for run in tracked if run.tags.get("study") == study]
    parents = [run for run in parents if "trial" not in run.tags]
    runs: dict[str, list[TrackedRun]] = defaultdict(list)
    for run in tracked:
        if run.tags.get("study") == study and "trial" in run.tags:
            runs[run.tags["trial"]].append(run)
    trials = {
        str(sorted(trial.params.items())): {
            "state": trial.state.name,
            "values": trial.values,
            "reports": trial.intermediate_values,
            "weights": hash_weights(folder / str(trial.number)),
            **_describe(runs[str(trial.number)]),
        }
        for trial in optuna.load_study(study_name=study, storage=storage).trials
    }
    return {**trials, "parent": {**_describe(parents), "metrics": len(parents)}}


def read_run(directory: Path, tracked: list[TrackedRun]) -> Any:
    """Return the results of a single run."""
    runs = [run for run in tracked if run.tags.get("framesweep.run_dir") == str(directory)]
    state = hash_state(directory)
    return {"weights": hash_weights(directory), "state": state, **_describe(runs)}


def _describe(runs: list[TrackedRun]) -> dict[str, Any]:
    return {
        "statuses": [run.status for run in runs],
        "metrics": [run.curves for run in runs],
        "artifacts": [sorted(run.artifacts) for run in runs],
        "models": [run.num_models for run in runs],
    }


def find_differences(name: str, found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return a line for each entry that is missing, superfluous or different."""
    lines = [f"{name}: {key} is missing" for key in expected.keys() - found.keys()]
    lines += [f"{name}: {key} is superfluous" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        if isinstance(expected[key], dict):
            lines += find_differences(f"{name}, {key}", found[key], expected[key])
        elif found[key] != expected[key]:
            there, here = str(found[key])[:300], str(expected[key])[:300]
            lines.append(f"{name}: {key} is {there} instead of {here}")
    return lines


def count_refused(disk: Path) -> int:
    """Return the number of records that were put aside, in all folders below `disk`."""
    return sum(
        len(path.read_bytes().splitlines()) for path in disk.rglob("tracking/refused.jsonl")
    )


def find_waiting(disk: Path) -> list[str]:
    """Return a line for each outbox that still contains records."""
    return [
        f"{path}: {path.stat().st_size} bytes have not been sent"
        for path in disk.rglob("tracking/outbox.jsonl")
        if path.stat().st_size > 0
    ]
