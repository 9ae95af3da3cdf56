"""Loads the candidates for an ensemble, predicts dev with each, and chooses among them."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framesweep.catalog.directories import shorten
from framesweep.runs.ensembles.predictions import (
    TrainedRun,
    count_params,
    load_trained_run,
    require_model,
)
from framesweep.runs.ensembles.selection import (
    SPLIT,
    Library,
    Step,
    count_total_params,
    estimate_accuracy,
    require_same_task,
    select_ensemble,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run in an ensemble.

    Attributes:
        weight: how often it was added.
        accuracy: its accuracy on dev alone.
        gain: by how much its additions raised the accuracy of the ensemble; for the first
            member, its accuracy as well.
    """

    directory: Path
    weight: int
    num_params: int
    accuracy: float
    gain: float

    @property
    def name(self) -> str:
        """The end of its directory's path, by which commands find it."""
        return shorten(self.directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """An ensemble that was chosen on dev.

    Attributes:
        members: its runs, in the order in which they were first added.
        accuracy: its accuracy on dev.
        held_out: its accuracy on utterances of dev that did not choose; see
            `estimate_accuracy`.
        num_params: its parameters in total.
        best_alone: the accuracy of the best candidate.
        num_candidates: how many runs it was chosen from.
    """

    members: list[Member]
    accuracy: float
    held_out: float | None
    num_params: int
    best_alone: float
    num_candidates: int

    def repeat_members(self) -> list[Member]:
        """Return each member as often as its weight says."""
        return [member for member in self.members for _ in range(member.weight)]


def select_runs(
    directories: Sequence[Path],
    overrides: Sequence[str],
    max_params: float | None,
    scratch: Path,
    report: Callable[[str], None],
) -> Selection:
    """Choose the ensemble of the runs in `directories` that is the most accurate on dev.

    Args:
        directories: The candidates, each once.
        overrides: Changes of their configs, as in `load_trained_run`.
        max_params: Limit of the total number of parameters, or None.
        scratch: Folder for a temporary file with the probabilities of all candidates, which may
            be larger than memory.
        report: Is called with a line about each candidate.

    Raises:
        CheckpointError: a run has not finished, or its files are damaged.
        ConfigError: every candidate has too many parameters.
        DataError: they differ in their phones, their dev split or their corpus.
    """
    for directory in directories:  # before the predictions, which may take minutes
        require_model(directory)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".ensemble-") as folder:
        library = _predict_all(directories, overrides, Path(folder), report)
        alone = [library.measure(index) for index in range(len(directories))]
        steps = select_ensemble(library, max_params)
        return Selection(
            members=_list_members(directories, library, alone, steps),
            accuracy=steps[-1].accuracy,
            held_out=estimate_accuracy(library, max_params),
            num_params=count_total_params(library, [step.index for step in steps]),
            best_alone=max(alone),
            num_candidates=len(directories),
        )


def _predict_all(
    directories: Sequence[Path],
    overrides: Sequence[str],
    folder: Path,
    report: Callable[[str], None],
) -> Library:
    """Predict dev with each run; one network at a time is in memory."""
    first: TrainedRun | None = None
    posteriors, num_params = [], []
    for number, directory in enumerate(directories):
        run = load_trained_run(directory, overrides)
        first = first or run
        require_same_task(run, first)
        path = folder / f"{number}.npy"
        np.save(path, run.compute_posteriors(SPLIT).numpy())
        posteriors.append(np.load(path, mmap_mode="r"))
        num_params.append(count_params(run))
        report(f"{number + 1}/{len(directories)}: {shorten(directory)}")
    assert first is not None, "there are candidates"
    dev = first.store.splits[SPLIT]
    assert dev.labels is not None, "require_same_task has checked it"
    return Library(posteriors, dev.labels, dev.lengths, num_params)


def _list_members(
    directories: Sequence[Path],
    library: Library,
    alone: Sequence[float],
    steps: Sequence[Step],
) -> list[Member]:
    before = [0.0, *(step.accuracy for step in steps)]
    gains: dict[int, list[float]] = {}
    for step, previous in zip(steps, before, strict=False):
        gains.setdefault(step.index, []).append(step.accuracy - previous)
    return [
        Member(
            directory=directories[index],
            weight=len(of_member),
            num_params=library.num_params[index],
            accuracy=alone[index],
            gain=sum(of_member),
        )
        for index, of_member in gains.items()
    ]
