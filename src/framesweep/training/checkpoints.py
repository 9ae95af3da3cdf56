"""Checkpoints, written atomically.

They hold all state of training, so that a resumed run computes the same bits as one that was
never stopped.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from framesweep.errors import CheckpointError
from framesweep.system.atomic_files import atomic_file

FORMAT = 1
CHECKPOINT_FOLDER, LAST, BEST = "checkpoints", "last.pt", "best.safetensors"
"""The folder in a run's directory, and the files in it."""


class Checkpoints:
    """The checkpoints of one run.

    `last.pt` holds the latest state of training, `best.safetensors` the weights of the epoch
    with the best objective.

    Args:
        directory: The folder of the files, created with the first of them.
        identity: A hash of everything that the weights depend on; the checkpoint of a run with
            another one is refused.
        earlier_identities: The hashes of the same run in earlier versions, which are accepted.
    """

    def __init__(self, directory: Path, identity: str, *earlier_identities: str) -> None:
        self.last = directory / LAST
        self.best = directory / BEST
        self._identity = identity
        self._accepted = (identity, *earlier_identities)

    def save(self, state: dict[str, Any]) -> None:
        """Save a state made of tensors, numbers, strings, lists and dicts as the last one."""
        whole = {"format": FORMAT, "identity": self._identity, **state}
        with atomic_file(self.last) as temporary, temporary.open("wb") as file, _raise_cause():
            torch.save(whole, file)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if none was saved.

        Raises:
            CheckpointError: The file is damaged, or belongs to another run or format.
        """
        if not self.last.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.last, map_location="cpu", weights_only=True)
            kind = (state["format"], state["identity"])
        except Exception as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            raise CheckpointError(
                self.last,
                f"must be a readable checkpoint ({reason})",
                fix="Delete it to start the run from its beginning.",
            ) from None
        if kind not in [(FORMAT, accepted) for accepted in self._accepted]:
            raise CheckpointError(
                self.last,
                f"must be of format {FORMAT} and config {self._identity}",
                found=kind,
                fix="Resume the run it belongs to, or start a new one.",
            )
        return state

    def save_best(self, model: nn.Module) -> None:
        """Save the weights of `model` as the best so far."""
        weights = {k: v.contiguous() for k, v in model.state_dict().items()}
        with atomic_file(self.best) as temporary:
            temporary.write_bytes(save(weights))


class NoCheckpoints(Checkpoints):
    """Saves and loads nothing; for workers, whose state is that of rank 0."""

    def __init__(self) -> None:
        pass

    def save(self, state: dict[str, Any]) -> None:
        pass

    def load(self) -> dict[str, Any] | None:
        return None

    def save_best(self, model: nn.Module) -> None:
        pass


@contextlib.contextmanager
def _raise_cause() -> Iterator[None]:
    """Raise the OSError, such as that of a full disk, that torch wraps in a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights from a safetensors file into `model`.

    Raises:
        CheckpointError: The file is missing, damaged, or of another network.
    """
    try:
        weights = load_file(path)
        model.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise CheckpointError(path, f"must hold this model's weights ({reason})") from None
