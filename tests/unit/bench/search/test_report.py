"""The table of replayed searches."""

from rich.console import Console

from framesweep.bench.search.report import build_replay_table, explain_columns

QUANTILES = {"p5": 0.001, "median": 0.02, "p90": 0.03, "p95": 0.04}
RESULT = {
    "search": "random",
    "n_jobs": 2,
    "seeds": 5,
    "sooner": 0.3,
    "share": {"p5": 0.25, "median": 0.5, "p90": None, "p95": None},
    **dict.fromkeys(("regret 10", "regret 25", "pruned", "idle"), QUANTILES),
    "seconds per trial": QUANTILES,
}


def test_shares_beyond_the_stock_sweepers_time_are_marked() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(build_replay_table([RESULT]))
    (line,) = [line for line in captured.get().splitlines() if "random" in line]
    assert line.split()[:6] == ["random", "5", "0.50", "0.25->1", ">1", "30%"]
    assert "2.0 (0.1-4.0)" in line


def test_the_explanation_names_the_times_of_the_regrets() -> None:
    assert "10 and 25 mean trainings" in explain_columns()
