"""The measurements that one call of `framesweep bench` makes, in their order."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from framesweep.bench.accuracy import VARIANTS, measure_accuracy
from framesweep.bench.baselines import is_plain_mlp
from framesweep.bench.case import Case
from framesweep.bench.corpus import write_corpus
from framesweep.bench.first_layer import measure_first_layer
from framesweep.bench.overhead import (
    measure_epoch_overhead,
    measure_help_seconds,
    measure_scale,
)
from framesweep.bench.preparation import measure_preparation, measure_sound
from framesweep.bench.search import compare as replays
from framesweep.bench.search.contenders import SAMPLERS, drop_unusable, list_contenders
from framesweep.bench.search.table import load_table
from framesweep.bench.sweeps import compare_searches
from framesweep.bench.throughput import measure_evaluation, measure_training
from framesweep.bench.workers import measure_workers
from framesweep.config import HardwareConfig
from framesweep.errors import ConfigError
from framesweep.models.build import NetworkBuilder
from framesweep.system.cores import count_physical_cores
from framesweep.system.hardware import resolve_hardware
from hydra_plugins.framesweep_sweeper._pruner_schemas import PRUNERS

log = logging.getLogger(__name__)

TRAIN_FRAMES = 200_000
"""Train frames of the corpus on which throughput is measured."""

PREPARE_FRAMES = 1_000_000
"""Train frames of the corpus that is prepared and copied: 190 MB."""

SWEEP_FRAMES = 50_000
"""Train frames of the corpus on which trials are trained."""

SEARCH = (
    *("data=demo", "model=small", "train.epochs=3", "hardware.threads=1"),
    *("optim.lr=tag(log,interval(1e-5,1e-1))", "model.dropout=interval(0.0,0.6)"),
)
"""A search in which bad trials can be recognized early."""

ACCURACY_DATA = ("data=demo",)
"""The corpus on which accuracies are compared: nothing can be learned from random frames."""


def measure_speed(chosen: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the results on training, evaluation, startup and memory.

    Args:
        chosen: Values of the command's options: `models`, `precisions`, `contexts`, `sizes`,
            `batch_sizes`, `rounds`, `steps`, `cpu_time` and perhaps `threads`.
        folder: Where corpora and runs are written.
    """
    root = write_corpus(folder, TRAIN_FRAMES)

    def case(model: str, precision: str, context: int, batch_size: int) -> Case:
        return _build_case(chosen, folder, root, model, precision, context, batch_size)

    cases = _list_cases(chosen, case)
    for one in cases:
        yield measure_training(one, chosen["rounds"], chosen["steps"])
        yield from measure_evaluation(one, max(3, chosen["rounds"] // 2))
        if is_plain_mlp(one.compose().model):
            yield measure_first_layer(one, chosen["rounds"])
    yield measure_epoch_overhead(cases[-1])
    yield {"what": "help", "seconds": measure_help_seconds()}
    for size in chosen["sizes"]:
        yield measure_scale(folder, size, "float32", 50, cases[-1])
    yield measure_scale(folder, chosen["sizes"][-1], "float16", 50, cases[-1])


def measure_preparations(
    chosen: dict[str, Any], folder: Path, sizes: Sequence[int] | None
) -> Iterator[dict[str, Any]]:
    """Yield the results on preparing a corpus of each size, and on computing features.

    Args:
        chosen: as for `measure_speed`.
        folder: where corpora and prepared ones are written.
        sizes: train frames; None for PREPARE_FRAMES.
    """
    case = _build_case(chosen, folder, folder, "small", "fp32", 0, 2048)
    for size in sizes or [PREPARE_FRAMES]:
        yield measure_preparation(folder, size, chosen["rounds"], case)
    yield measure_sound(chosen["rounds"], case)


def _build_case(
    chosen: dict[str, Any],
    folder: Path,
    root: Path,
    model: str,
    precision: str,
    context: int,
    batch_size: int,
) -> Case:
    return Case(
        model=model,
        precision=precision,
        context=context,
        root=str(root.absolute()),
        outputs=str(folder.absolute()),
        threads=chosen.get("threads"),
        cpu_time=chosen["cpu_time"],
        batch_size=batch_size,
    )


def _list_cases(
    chosen: dict[str, Any], case: Callable[[str, str, int, int], Case]
) -> list[Case]:
    """Return the cases in which the network suits the context.

    Raises:
        ConfigError: none does.
    """
    precisions = chosen["precisions"]
    if precisions == ["auto"]:
        precisions = sorted(
            {"fp32", resolve_hardware(HardwareConfig()).precision}, reverse=True
        )
    shapes = product(chosen["models"], precisions, chosen["contexts"], chosen["batch_sizes"])
    cases, errors = [], []
    for values in shapes:
        one = case(*values)
        try:
            config = one.compose()
            NetworkBuilder(config.model, config.data.context)
            cases.append(one)
        except ConfigError as error:
            errors.append(error)
    if not cases:
        raise errors[0]
    return cases


def measure_sweeps(folder: Path, trials: int) -> Iterator[dict[str, Any]]:
    """Yield the results on workers, and on a search against Hydra's own Optuna sweeper."""
    root = write_corpus(folder, SWEEP_FRAMES).absolute()
    for num_jobs, threads in ((1, 2), (2, 1)):
        yield measure_workers(root, num_jobs, threads, trials)
    with tempfile.TemporaryDirectory() as name:
        yield compare_searches(Path(name), trials, 2, SEARCH)


def _choose(kind: str, given: Sequence[str] | None, known: Sequence[str]) -> Sequence[str]:
    """Return the options of `--samplers` or `--pruners`, and log those that are left out."""
    if given is None:
        return known
    for name in given:
        if name not in known:
            raise ConfigError(f"--{kind}", f"must be of {', '.join(known)}", found=name)
    left_out = [name for name in known if name not in given]
    if left_out:
        log.warning(f"left out; replay them with --{kind} {','.join(left_out)}")
    return given


def replay_searches(
    path: Path | None,
    seeds: Sequence[int],
    jobs: Sequence[int],
    samplers: Sequence[str] | None = None,
    pruners: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the result of each search that is replayed on recorded trainings.

    Args:
        path: the table of the trainings; None for the one that framesweep brings along.
        seeds: the seeds of each search.
        jobs: numbers of workers.
        samplers, pruners: which of them are replayed, in addition to the sweep as shipped;
            None for all.
    """
    table = load_table(path)
    samplers = _choose("samplers", samplers, SAMPLERS)
    pruners = _choose("pruners", pruners, tuple(PRUNERS))
    contenders, reasons = drop_unusable(list_contenders(samplers, pruners), table)
    for reason in reasons:
        log.warning(reason)
    processes = min(count_physical_cores(), len(seeds))
    yield from replays.compare_searches(table, contenders, seeds, jobs, processes)


def measure_accuracies(
    chosen: dict[str, Any], folder: Path, seeds: int, epochs: int
) -> Iterator[dict[str, Any]]:
    """Yield the accuracy of each precision, with fused loops and with plain modules."""
    overrides = [
        *ACCURACY_DATA,
        f"train.epochs={epochs}",
        f"hardware.threads={chosen.get('threads') or 'null'}",
        f"outputs={folder.absolute()}",
    ]
    shapes = product(chosen["models"], chosen["contexts"], VARIANTS)
    for model, context, (precision, modules) in shapes:
        network = [f"model={model}", f"data.context={context}"]
        measured = measure_accuracy(precision, modules, range(seeds), [*overrides, *network])
        yield {"model": model, "context": context, **measured}
