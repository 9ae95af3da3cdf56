"""The zip file that graders of a course ask for: a submission, and how it was trained."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from framesweep import __version__
from framesweep.credentials import scrub
from framesweep.data.phones import describe_numbering
from framesweep.runs.ensembles.predictions import TrainedRun, count_params, list_distinct
from framesweep.runs.reporting.history import REPORT_FOLDER, History, read_history
from framesweep.runs.reporting.run_log import MODEL_FOLDER
from framesweep.system.atomic_files import atomic_file


def write_zip(out: Path, csv_text: str, runs: Sequence[TrainedRun]) -> None:
    """Write the submission with everything that graders ask for, as one zip file, atomically.

    The files of a single run are at its top, those of an ensemble in folders run1, run2, ...
    A run that is named several times, which then counts as often, has one folder. Credentials
    are removed from all texts.

    Raises:
        CheckpointError: the file of a run's metrics is damaged.
    """
    distinct = list_distinct(runs)
    summary: dict[str, Any] = {
        "framesweep": __version__,
        "rows": csv_text.count("\n") - 1,
        "labels": describe_numbering(runs[0].store.phones),
        "total_params": sum(map(count_params, distinct)),
        "runs": [],
    }
    with atomic_file(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr("submission.csv", csv_text, zipfile.ZIP_DEFLATED)
        for number, run in enumerate(distinct, start=1):
            prefix = "" if len(distinct) == 1 else f"run{number}/"
            history = read_history(run.directory)
            for name, content in _list_files(run, history.epochs):
                archive.writestr(prefix + name, content, zipfile.ZIP_DEFLATED)
            weight = sum(one.directory == run.directory for one in runs)
            summary["runs"].append(_summarize(run, history) | {"weight": weight})
        archive.writestr("summary.json", json.dumps(summary, indent=2))


def _summarize(run: TrainedRun, history: History) -> dict[str, Any]:
    return {
        "directory": run.directory.name,
        "num_params": count_params(run),
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "objective": run.config.objective,
        "metrics": history.epochs[history.best_epoch - 1],
    }


def _list_files(
    run: TrainedRun, epochs: Sequence[Mapping[str, float]]
) -> Iterator[tuple[str, str | bytes]]:
    """Yield the name and the content of each file about a run."""
    config = run.directory / MODEL_FOLDER / "config.yaml"
    yield "config.yaml", scrub(config.read_text(encoding="utf-8"))
    yield "architecture.txt", f"{run.model}\n\n{count_params(run):,} parameters\n"
    yield "metrics.csv", _format_metrics(epochs)
    # Named after the program that was started: train.py or framesweep.
    for log in sorted(run.directory.glob("*.log")):
        yield log.name, scrub(log.read_text(encoding="utf-8", errors="replace"))
    report = run.directory / REPORT_FOLDER
    for path in sorted(report.iterdir()) if report.is_dir() else ():
        yield f"{REPORT_FOLDER}/{path.name}", path.read_bytes()


def _format_metrics(epochs: Sequence[Mapping[str, float]]) -> str:
    names = list(dict.fromkeys(name for metrics in epochs for name in metrics))
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["epoch", *names])
    for epoch, metrics in enumerate(epochs, start=1):
        writer.writerow([epoch, *(metrics.get(name, "") for name in names)])
    return file.getvalue()
