"""framesweep bench: compare the speed with what the machine can do."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.output import echo_json

QUICK = {
    "models": ["base"],
    "precisions": ["auto"],
    "contexts": [25],
    "batch_sizes": [2048],
    "sizes": [200_000],
}
FULL = {
    "models": ["small", "base", "wide", "conv", "tdnn"],
    "precisions": ["fp32", "bf16"],
    "contexts": [0, 5, 15, 25, 50],
    "batch_sizes": [64, 256, 512, 2048],
    "sizes": [1_000_000, 4_600_000, 18_500_000],
}
POSITIVE = click.IntRange(min=1)


class CommaSeparated(click.ParamType[Any]):
    """Several values of another type, separated by commas."""

    name = "list"

    def __init__(self, one: click.ParamType[Any]) -> None:
        self._one = one

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        return [self._one.convert(part, param, ctx) for part in value.split(",")]


@click.command()
@click.option(
    "--full",
    is_flag=True,
    help="Measure small, base, wide, conv and tdnn in several precisions, contexts, batch "
    "sizes and sizes, which takes hours.",
)
@click.option(
    "--models",
    type=CommaSeparated(click.STRING),
    help="Options of the group model.  [default: base]",
)
@click.option(
    "--precisions",
    type=CommaSeparated(click.Choice(["fp32", "bf16", "fp16"])),
    help="Precisions: fp32, bf16, fp16.  [default: fp32 and the fastest]",
)
@click.option(
    "--contexts",
    type=CommaSeparated(click.IntRange(min=0)),
    help="Frames per side; networks that need more are left out.  [default: 25]",
)
@click.option(
    "--batch-sizes",
    type=CommaSeparated(POSITIVE),
    help="Frames per training step.  [default: 2048]",
)
@click.option(
    "--sizes",
    type=CommaSeparated(POSITIVE),
    help="Train frames for startup time, memory and --prepare.  [default: 200000; 1000000]",
)
@click.option(
    "--rounds",
    type=POSITIVE,
    default=7,
    show_default=True,
    help="Rounds in which everything is measured.",
)
@click.option(
    "--steps", type=POSITIVE, default=5, show_default=True, help="Training steps per round."
)
@click.option("--threads", type=POSITIVE, help="CPU threads.  [default: all cores]")
@click.option(
    "--cpu-time",
    is_flag=True,
    help="Measure CPU time instead of wall time; use it with --threads 1 on a busy machine.",
)
@click.option(
    "--prepare",
    is_flag=True,
    help="Measure instead how fast a corpus is prepared, and features are computed from audio.",
)
@click.option("--sweep", is_flag=True, help="Measure sweeps instead.")
@click.option(
    "--search",
    is_flag=True,
    help="Replay searches on recorded trainings instead, and compare samplers and pruners.",
)
@click.option(
    "--accuracy",
    is_flag=True,
    help="Measure instead how faster computation changes the accuracy.",
)
@click.option(
    "--seeds",
    type=POSITIVE,
    help="Seeds per variant with --accuracy, per search with --search.  [default: 3, 100]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="With --search, the first seed.",
)
@click.option(
    "--jobs",
    type=CommaSeparated(POSITIVE),
    default="1,2,8,32",
    show_default=True,
    help="With --search, numbers of workers.",
)
@click.option(
    "--samplers",
    type=CommaSeparated(click.STRING),
    help="With --search, samplers to replay in addition to the default.  [default: all]",
)
@click.option(
    "--pruners",
    type=CommaSeparated(click.STRING),
    help="With --search, pruners to replay in addition to the default.  [default: all]",
)
@click.option(
    "--table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --search, another table of trainings; see framesweep.bench.search.record.",
)
@click.option(
    "--epochs",
    type=POSITIVE,
    default=2,
    show_default=True,
    help="With --accuracy, epochs per run.",
)
@click.option(
    "--trials",
    type=POSITIVE,
    default=8,
    show_default=True,
    help="With --sweep, trials per sweep.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("outputs/bench"),
    show_default=True,
    help="Directory of random corpora, which are reused.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    is_flag=False,
    flag_value="-",
    help="File for the results. Without a file, they are printed as JSON instead of tables.",
)
def command(
    *,
    full: bool,
    prepare: bool,
    sweep: bool,
    trials: int,
    search: bool,
    accuracy: bool,
    seeds: int | None,
    seed: int,
    jobs: list[int],
    samplers: list[str] | None,
    pruners: list[str] | None,
    table: Path | None,
    epochs: int,
    folder: Path,
    json_path: Path | None,
    **options: Any,
) -> None:
    """Measure training, evaluation, startup and memory together with baselines.

    They are interleaved, so that the load of the machine affects all alike. Without options
    this takes two or three minutes. Ratios are comparable between machines, frames per second
    are not.
    """
    from framesweep.bench import suites
    from framesweep.config.composition import register

    register()
    _require_one(prepare=prepare, sweep=sweep, search=search, accuracy=accuracy)
    chosen = {
        **(FULL if full else QUICK),
        **{k: v for k, v in options.items() if v is not None},
    }
    if accuracy:
        measured = suites.measure_accuracies(chosen, folder, seeds or 3, epochs)
    elif search:
        chosen_seeds = range(seed, seed + (seeds or 100))
        measured = suites.replay_searches(table, chosen_seeds, jobs, samplers, pruners)
    elif prepare:
        measured = suites.measure_preparations(chosen, folder, options["sizes"])
    elif sweep:
        measured = suites.measure_sweeps(folder, trials)
    else:
        measured = suites.measure_speed(chosen, folder)
    _print_and_write(measured, json_path)


def _require_one(**kinds: bool) -> None:
    """Raise UsageError if several kinds of benchmark are asked for, of which one would run."""
    given = [f"--{kind}" for kind, is_given in kinds.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other: give one of them.")


def _print_and_write(measured: Iterable[dict[str, Any]], json_path: Path | None) -> None:
    """Print each result when it is there, and all of them as tables or JSON at the end."""
    from rich.console import Console

    from framesweep.bench.tables import print_tables
    from framesweep.system.atomic_files import write_text

    as_json = json_path == Path("-")
    console = Console(stderr=as_json)
    results = []
    for result in measured:
        results.append(result)
        console.print(f"measured: {_name(result)}", highlight=False, style="dim")
    if as_json:
        echo_json(results)
        return
    print_tables(console, results)
    if json_path is not None:
        write_text(json_path, json.dumps(results, indent=1))


def _name(result: dict[str, Any]) -> str:
    """Return what was measured, without the figures."""
    keys = ("what", "model", "precision", "context", "batch_size", "frames", "search", "n_jobs")
    return ", ".join(str(result[key]) for key in keys if key in result)
