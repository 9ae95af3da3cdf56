"""Reports on a run as a page of HTML: what was trained, its results, and how to repeat it."""

import csv
from collections.abc import Mapping
from pathlib import Path

from framesweep.config.composition import CONFIG_FILE, load
from framesweep.config.differences import changed_keys, option_names
from framesweep.config.plain import flatten
from framesweep.config.shell_words import join_command
from framesweep.errors import CheckpointError
from framesweep.evaluation.report import CONFUSIONS, COUNTS, MATRIX, PER_PHONE
from framesweep.evaluation.run_figures import draw_curves, draw_matrix, matrix_height
from framesweep.runs.reporting.history import REPORT_FOLDER, History, read_history
from framesweep.runs.reporting.tracked_params import MAIN_GROUPS, MAIN_KEYS
from framesweep.system.drawing.html_page import Page

NUM_CONFUSIONS = 20


PAGE = "report.html"
"""Name of the page in the report of a run."""


def build_run_page(
    directory: Path, name: str, run_id: str | None, choices: Mapping[str, str] | None = None
) -> Page:
    """Return the page of the run in `directory`, which may not have ended yet.

    Args:
        name: The name of the run, for the title.
        run_id: Its MLflow id; None for a run that is not tracked.
        choices: The options of groups that were chosen, such as model -> small, where they are
            known; otherwise a group has the name of the option with these values, if there
            is one, or else that of its schema.

    Raises:
        CheckpointError: The run has no config.
    """
    path = directory / CONFIG_FILE
    if not path.exists():
        raise CheckpointError(path, "must exist for the run to be reported on")
    text = path.read_text(encoding="utf-8")
    config = load(text, [], path)
    chosen = {group: n for group, n in (choices or {}).items() if group in MAIN_GROUPS}
    options = {group: n for group, n in option_names(config).items() if group in MAIN_GROUPS}
    options |= chosen
    page = Page(f"Run {name}" if name else "Run")
    page.add_facts(
        {
            **({"MLflow id": run_id} if run_id else {}),
            "directory": directory,
            **{group: option for group, option in options.items() if option != group},
        }
    )
    add_results(page, directory, config.objective)
    page.add_heading("Settings")
    page.add_paragraph("The main ones, and those that differ from their defaults.")
    values = flatten(config)
    shown = dict.fromkeys([*MAIN_KEYS, *changed_keys(config)])
    page.add_facts({key: values[key] for key in shown if key in values})
    page.add_details(f"Complete {CONFIG_FILE}", text)
    page.add_heading("How to repeat it")
    page.add_paragraph("This command trains with the same config, and compares the results:")
    page.add_command(join_command(["framesweep", "reproduce", run_id or str(directory)]))
    return page


def add_results(page: Page, directory: Path, objective: str) -> None:
    """Add the metrics of a run, its learning curves, and its errors by phone."""
    try:
        history = read_history(directory)
    except CheckpointError:
        history = History([], 0)
    if history.epochs:
        page.add_heading("Results")
        epochs, best_epoch = history.epochs, history.best_epoch
        best = epochs[best_epoch - 1]
        result = f"{objective} {best[objective]:.4f}"
        page.add_paragraph(f"Best {result} in epoch {best_epoch} of {len(epochs)}.")
        rows = sorted(best.items())
        page.add_table([f"metric in epoch {best_epoch}", "value"], rows)
        page.add_heading("Learning curves")
        page.add_figure(draw_curves(epochs, "loss", "Loss in nats per frame", best_epoch))
        page.add_figure(draw_curves(epochs, "accuracy", "Frame accuracy", best_epoch))
    else:
        page.add_paragraph("No epoch has ended yet.")
    _add_errors(page, directory / REPORT_FOLDER)


def _add_errors(page: Page, folder: Path) -> None:
    """Add the errors by phone, and the confusions; nothing if the run has not ended."""
    if not (folder / PER_PHONE).exists():
        return
    page.add_heading("Errors by phone")
    page.add_paragraph("Frames of the dev split, the phones with the most errors first.")
    page.add_table(
        ["phone", "wrong frames", "frames", "recall", "precision", "F1"], _rank(folder)
    )
    page.add_heading("Confusions")
    rows = [
        (row["true"], row["predicted"], int(row["frames"]), float(row["share"]))
        for row in _read(folder / CONFUSIONS)[:NUM_CONFUSIONS]
    ]
    page.add_table(["true phone", "predicted phone", "frames", "share of the true phone"], rows)
    if (folder / COUNTS).exists():
        with (folder / COUNTS).open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))[1:]
        names = [line[0] for line in lines]
        counts = [[int(cell) for cell in line[1:]] for line in lines]
        page.add_figure(draw_matrix(names, counts), matrix_height(len(names)))
    elif (folder / MATRIX).exists():
        # Earlier versions wrote the picture only.
        page.add_png(folder / MATRIX, "confusion matrix")


def _rank(folder: Path) -> list[tuple[str, int, int, float, float, float]]:
    rows = []
    for row in _read(folder / PER_PHONE):
        frames, recall = int(row["frames"]), float(row["recall"])
        wrong = round(frames * (1 - recall))
        if frames == 0:
            continue
        precision, f1 = float(row["precision"]), float(row["f1"])
        scores = (round(recall, 4), round(precision, 4), round(f1, 4))
        rows.append((row["phone"], wrong, frames, *scores))
    return sorted(rows, key=lambda row: -row[1])


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
