"""Reports on a search or a grid as a page of HTML: what was searched, the best, the plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.study import Study

from framesweep.config.composition import CONFIG_FILE, load
from framesweep.runs.reporting.run_page import add_results
from framesweep.sweeps.studies import get_trial_directory
from framesweep.sweeps.study_figures import draw_study
from framesweep.sweeps.study_note import summarize_study
from framesweep.sweeps.tables import (
    build_train_command,
    find_pareto_front,
    get_objective_names,
    rank_trials,
)
from framesweep.system.drawing.html_page import Page

MAX_ROWS = 50
"""Most rows of the table of runs."""


def build_study_page(study: Study, outputs: Path) -> Page:
    """Return the page of a study, which may still be running."""
    page = Page(f"Study {study.study_name}")
    page.add_paragraph(summarize_study(study))
    page.add_heading("What was searched")
    attributes = study.user_attrs
    space: Mapping[str, object] = attributes.get("search_space", {})
    page.add_table(["key", "searched"], [(key, str(value)) for key, value in space.items()])
    if fixed := attributes.get("fixed_overrides", {}):
        page.add_paragraph("The same in all trials:")
        page.add_facts(fixed)
    is_single = len(study.directions) == 1
    trials = rank_trials(study) if is_single else find_pareto_front(study)
    names = get_objective_names(study)
    if trials:
        page.add_heading("The best trial" if is_single else "The Pareto front")
        params = list(dict.fromkeys(key for trial in trials for key in trial.params))
        rows = [
            [trial.number, *trial.values, *(trial.params.get(key, "") for key in params)]
            for trial in trials[:MAX_ROWS]
        ]
        page.add_table(["trial", *names, *params], rows)
        page.add_heading("How to repeat it")
        page.add_paragraph(f"This command trains trial {trials[0].number} again:")
        page.add_command(build_train_command(trials[0]))
    page.add_heading("Plots")
    for figure in draw_study(study):
        page.add_figure(figure, 520)
    if trials:
        directory = get_trial_directory(study, trials[0], outputs)
        _add_run(page, directory, f"Trial {trials[0].number}")
    return page


def _add_run(page: Page, directory: Path, title: str) -> None:
    """Add the results of a run, unless its directory no longer exists."""
    path = directory / CONFIG_FILE
    if not path.exists():
        return
    page.add_heading(title)
    page.add_facts({"directory": directory})
    config = load(path.read_text(encoding="utf-8"), [], path)
    add_results(page, directory, config.objective)


def build_grid_page(
    name: str,
    rows: Sequence[tuple[str, float, Mapping[str, str]]],
    objective: str,
    command: str | None,
    best: Path | None,
) -> Page:
    """Return the page of a grid.

    Args:
        rows: The name, the objective and the swept values of each finished run, best first.
        objective: The metric of the values.
        command: The command that trains the best run again.
        best: The directory of the best run.
    """
    page = Page(name)
    keys = list(dict.fromkeys(key for _, _, swept in rows for key in swept))
    page.add_heading("What was searched")
    page.add_facts(
        {
            key: ", ".join(dict.fromkeys(swept.get(key, "") for _, _, swept in rows))
            for key in keys
        }
    )
    page.add_heading("Runs")
    page.add_table(
        ["run", objective, *keys],
        [
            [run, value, *(swept.get(key, "") for key in keys)]
            for run, value, swept in rows[:MAX_ROWS]
        ],
    )
    if command is not None:
        page.add_heading("How to repeat it")
        page.add_paragraph("This command trains the best run again:")
        page.add_command(command)
    if best is not None:
        _add_run(page, best, "The best run")
    return page
