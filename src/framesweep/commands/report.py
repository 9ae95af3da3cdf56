"""framesweep report: write a page of HTML about a study, a grid or a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from framesweep.commands.common.options import tracking_options, unknown_name_error
from framesweep.commands.common.output import echo_result, json_option
from framesweep.credentials import printable
from framesweep.errors import TrackingError

if TYPE_CHECKING:
    from optuna.study import Study

    from framesweep.system.drawing.html_page import Page
    from framesweep.tracking import RunInfo


@click.command("report")
@click.argument("target", metavar="STUDY|RUN_ID")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@click.option("--storage", help="Storage of the study.  [default: outputs/studies.db]")
@json_option
@tracking_options
def command(
    target: str,
    *,
    out: Path,
    storage: str | None,
    as_json: bool,
    uri: str | None,
    outputs: Path,
) -> None:
    """Write a page of HTML that needs no network and no other file.

    It shows what was searched or trained, the best result, interactive plots, the errors by
    phone, and how to repeat it. STUDY|RUN_ID is the name or the folder of a search, or a run or
    the parent of a grid by its id, name or directory, or last, or best.
    """
    page = _build_page(target, storage, uri, outputs)
    page.write(out)
    echo_result(as_json, {"file": out}, printable(f"report: {out}"))


def _build_page(target: str, storage: str | None, uri: str | None, outputs: Path) -> Page:
    from framesweep.sweeps.studies import load_study
    from framesweep.tracking import load_run

    try:
        study = load_study(target, storage, outputs)
    except TrackingError as error:
        if storage is not None:
            raise
        study_error = error
    else:
        return _report_study(study, outputs)
    try:
        run = load_run(target, uri, outputs)
    except TrackingError as error:
        # Neither outputs without tracking nor those without a search have both databases.
        raise unknown_name_error("report", target, study_error, error) from None
    return _report_run(run, uri, outputs)


def _report_study(study: Study, outputs: Path) -> Page:
    from framesweep.runs.reporting.sweep_page import build_study_page

    return build_study_page(study, outputs)


def _report_run(run: RunInfo, uri: str | None, outputs: Path) -> Page:
    from framesweep.runs.reporting.run_page import build_run_page

    if run.tags.get("sweep") == "search":
        return _report_study(_load_study_of(run, outputs), outputs)
    if run.tags.get("sweep") == "grid":
        return _report_grid(run, uri, outputs)
    name = run.name or run.directory.name
    return build_run_page(run.directory, name, run.run_id or None, choices=run.params)


def _load_study_of(parent: RunInfo, outputs: Path) -> Study:
    """Return the study of a search's parent.

    Raises:
        TrackingError: its storage is not known any more.
    """
    from framesweep.sweeps.studies import load_study, read_storage

    name = parent.tags.get("study", "")
    try:
        return load_study(name, read_storage(parent.directory), outputs)
    except TrackingError as error:
        raise TrackingError(
            "report",
            f"must find the study of the search ({error})",
            found=name,
            fix=f"If it has another storage, type framesweep report {name} --storage STORAGE.",
        ) from None


def _report_grid(parent: RunInfo, uri: str | None, outputs: Path) -> Page:
    from framesweep.config.shell_words import join_command
    from framesweep.evaluation.metrics import METRICS
    from framesweep.runs.reporting.sweep_page import build_grid_page
    from framesweep.runs.reruns import read_config
    from framesweep.sweeps.grids.runs import rank_runs, swept_values
    from framesweep.sweeps.run_names import name_best
    from framesweep.tracking import load_children

    runs = load_children(parent.run_id, uri, outputs)
    if not runs:
        raise TrackingError(f"grid {parent.name}", "must have a run")
    objective = read_config(runs[0].directory, []).objective
    metric = name_best(objective)
    ranked = rank_runs(runs, metric, maximize=METRICS[objective].maximize)
    rows = [(run.name, run.metrics[metric], swept_values(run)) for run in ranked]
    best = ranked[0] if ranked else None
    command = join_command(["framesweep", "reproduce", best.run_id]) if best else None
    return build_grid_page(
        parent.name, rows, objective, command, best.directory if best else None
    )
