"""The table of replayed searches."""

from rich.console import Console

from framesweep.bench.search.report import build_replay_tables, explain_columns

QUANTILES = {"p5": 0.001, "median": 0.02, "p90": 0.03, "p95": 0.04}
LARGE = {"p5": 0.22, "median": 0.22, "p90": 0.22, "p95": 0.22}
RESULT = {
    "search": "random",
    "n_jobs": 2,
    "seeds": 5,
    "sooner": 0.3,
    "share": {"p5": 0.25, "median": 0.5, "p90": None, "p95": None},
    **dict.fromkeys(("regret 10", "regret 25", "regret 100", "pruned", "idle"), QUANTILES),
    "seconds per trial": QUANTILES,
}


def draw(width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        long = {**RESULT, "search": "pruner=successive_halving", "regret 10": LARGE}
        for table in build_replay_tables([RESULT, long]):
            console.print(table)
    return captured.get()


def test_shares_beyond_the_stock_sweepers_time_are_marked() -> None:
    times, regrets = [line for line in draw(120).splitlines() if "random" in line]
    assert times.split()[:6] == ["random", "5", "0.50", "0.25->1", ">1", "30%"]
    assert "2.0 (0.1-4.0)" in regrets


def test_nothing_is_cut_at_80_columns() -> None:
    assert draw(80).split() == draw(120).split()
    assert "…" not in draw(80)


def test_the_explanation_names_the_times_of_the_regrets() -> None:
    assert "10, 25 and 100 mean trainings" in explain_columns()
