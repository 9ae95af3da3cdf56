"""Each kind of result is printed once, and kinds that were not measured are not."""

import io

from rich.console import Console

from framesweep.bench.tables import print_tables


def render(results) -> str:
    text = io.StringIO()
    print_tables(Console(file=text, width=200), results)
    return text.getvalue()


def test_no_results_print_nothing() -> None:
    assert render([]) == ""


def test_results_of_several_kinds_are_printed_in_their_order() -> None:
    help_time = {"what": "help", "seconds": 0.25}
    sound = {"what": "sound", "times_real_time": {"16000 Hz": 700.0}}
    lines = render([help_time, sound]).splitlines()
    assert lines[0] == "train --help: 0.25 s"
    assert lines[1].startswith("From sound to log-mel features")


def test_results_of_one_table_are_printed_together() -> None:
    sweep = {"what": "sweep", "threads": 1, "trials": 4, "pause seconds": 0.2}
    results = [{**sweep, "n_jobs": n, "trials per hour": 1000.0 * n} for n in (1, 2)]
    text = render(results)
    assert text.count("trials/hour") == 1
    assert "1,000" in text
    assert "2,000" in text
