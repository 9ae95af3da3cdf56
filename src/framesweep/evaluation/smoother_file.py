"""Stores a tuned smoother with its model, so that smoothing needs no corpus."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from framesweep.errors import CheckpointError
from framesweep.evaluation.phone_chain import Chain, Floats
from framesweep.evaluation.viterbi import Smoother, Strength
from framesweep.system.atomic_files import atomic_file
from framesweep.training.weight_files import dump_weights, load_weights

SMOOTHER = "smoother.safetensors"
"""File of a model with the chain of phones and its weight."""


class _Tables(nn.Module):
    """The tables of a smoother as buffers, which the files of weights store and check."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        for name, shape in (
            ("log_prior", (num_classes,)),
            ("log_start", (num_classes,)),
            ("log_transition", (num_classes, num_classes)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("strength", torch.zeros(2, dtype=torch.float64))


def write_smoother(folder: Path, smoother: Smoother) -> None:
    """Write a smoother into the folder of its model, atomically."""
    chain, strength = smoother.chain, smoother.strength
    tables = _Tables(len(chain.log_prior))
    tables.load_state_dict(
        {
            "log_prior": torch.from_numpy(np.asarray(chain.log_prior)),
            "log_start": torch.from_numpy(np.asarray(chain.log_start)),
            "log_transition": torch.from_numpy(np.ascontiguousarray(chain.log_transition)),
            "strength": torch.tensor(
                [strength.transition, strength.prior], dtype=torch.float64
            ),
        }
    )
    with atomic_file(folder / SMOOTHER) as temporary:
        temporary.write_bytes(dump_weights(tables))


def read_smoother(folder: Path, num_classes: int) -> Smoother | None:
    """Return the smoother of a model with C phones; None if it was stored without one.

    Raises:
        CheckpointError: if the file is damaged, or of another model.
    """
    path = folder / SMOOTHER
    if not path.exists():
        return None
    tables = _Tables(num_classes)
    load_weights(tables, path)
    arrays = {name: table.numpy() for name, table in tables.state_dict().items()}
    transition, prior = arrays.pop("strength").tolist()
    return Smoother(Chain(**arrays), Strength(transition, prior))


def average_smoothers(smoothers: list[Smoother]) -> Smoother:
    """Return the smoother of an ensemble, with the mean probabilities and the mean strength."""
    strengths = [smoother.strength for smoother in smoothers]
    mean = Strength(
        float(np.mean([strength.transition for strength in strengths])),
        float(np.mean([strength.prior for strength in strengths])),
    )
    chain = average_chains([smoother.chain for smoother in smoothers])
    return replace(smoothers[0], chain=chain, strength=mean)


def average_chains(chains: Sequence[Chain]) -> Chain:
    """Return the chain of an ensemble, with the mean probabilities.

    The chains of runs that were trained on different shares of a corpus are counted on these.
    Those of other runs are equal, and so is their mean.
    """
    return Chain(
        log_prior=_average_logs([chain.log_prior for chain in chains]),
        log_start=_average_logs([chain.log_start for chain in chains]),
        log_transition=_average_logs([chain.log_transition for chain in chains]),
    )


def _average_logs(logs: list[Floats]) -> Floats:
    """Return the float32 log of the mean of probabilities, whose logs are given.

    The mean of equal arrays is the same to the last bit, because it is rounded from float64.
    """
    # Sorted, so that the order of the runs makes no difference in rounding.
    ordered = np.sort(np.asarray(logs, dtype=np.float64), axis=0)
    mean: Floats = np.logaddexp.reduce(ordered, axis=0) - np.log(len(logs))
    return mean.astype(np.float32)


def require_smoother(folder: Path, num_classes: int) -> Smoother:
    """Return the smoother of a model.

    Raises:
        CheckpointError: if it was stored without one, or the file is damaged.
    """
    smoother = read_smoother(folder, num_classes)
    if smoother is None:
        raise CheckpointError(
            folder,
            f"must contain {SMOOTHER} to be smoothed",
            fix="Runs with train.smooth=true have it.",
        )
    return smoother
