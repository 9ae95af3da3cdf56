"""Checkpoints, written atomically.

They hold all state of training, so that a resumed run computes the same bits as one that was
never stopped. A damaged one is never used: torch does not compare the checksums of the archive
that it writes, so `load` does.
"""

import contextlib
import errno
import logging
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from framesweep import __version__
from framesweep.errors import CheckpointError
from framesweep.system.atomic_files import atomic_file
from framesweep.system.locks.ownership import fence
from framesweep.system.out_of_memory import is_out_of_memory
from framesweep.training.weight_files import dump_weights

log = logging.getLogger(__name__)

FORMAT = 1
CHECKPOINT_FOLDER, LAST, BEST = "checkpoints", "last.pt", "best.safetensors"
"""The folder in a run's directory, and the files in it."""

PREVIOUS = "previous.pt"
"""The checkpoint before the last one, for the case that the last one is damaged."""

DAMAGE = (None, errno.EINVAL, errno.ENOENT)
"""Numbers of the system errors by which a checkpoint counts as damaged: zipfile decompresses
what is not compressed, or seeks to a negative byte, and the file may be renamed meanwhile."""


class Checkpoints:
    """The checkpoints of one run.

    `last.pt` holds the latest state of training, `previous.pt` the one before, and
    `best.safetensors` the weights of the epoch with the best objective.

    Args:
        directory: The folder of the files, created with the first of them.
        identity: A hash of everything that the weights depend on; the checkpoint of a run with
            another one is refused.
        earlier_identities: The hashes of the same run in earlier versions, which are accepted.
    """

    def __init__(self, directory: Path, identity: str, *earlier_identities: str) -> None:
        self.last = directory / LAST
        self.previous = directory / PREVIOUS
        self.best = directory / BEST
        self._identity = identity
        self._accepted = (identity, *earlier_identities)

    def save(self, state: dict[str, Any]) -> None:
        """Save a state made of tensors, numbers, strings, lists and dicts as the last one."""
        whole = {
            "format": FORMAT,
            "identity": self._identity,
            "version": __version__,
            **state,
        }
        with atomic_file(self.last) as temporary:
            with temporary.open("wb") as file, _raise_cause():
                torch.save(whole, file)
                # Only a file that is safely on the disk may push the last one aside.
                file.flush()
                os.fsync(file.fileno())
            # If the process is killed before the new file takes the name, there is none of that
            # name, and `load` takes the previous one.
            with contextlib.suppress(FileNotFoundError), fence(self.last):
                self.last.replace(self.previous)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if none was saved.

        If the last checkpoint is damaged, the one before it is returned, and a warning logged.

        Raises:
            CheckpointError: Both are damaged, one cannot be read, or it belongs to another run
                or format.
            MemoryError: There is too little memory to read one.
        """
        newest = _read_newest(self.last.parent)
        if newest is None:
            return None
        path, state = newest
        self._require_own(path, state)
        if path == self.previous:
            # Otherwise the next save would replace the good checkpoint by the damaged one.
            self.last.unlink(missing_ok=True)
        return state

    def _require_own(self, path: Path, state: dict[str, Any]) -> None:
        """Raise CheckpointError unless the state is of this run and of a format known here."""
        version = state.get("version", "0.1")
        if state["format"] != FORMAT:
            raise CheckpointError(
                path,
                f"must have checkpoint format {FORMAT}; framesweep {version} saved it",
                found=state["format"],
                fix=f"Resume it with framesweep {version}.",
            )
        if state["identity"] not in self._accepted:
            other = "" if version == __version__ else f"framesweep {version}, "
            raise CheckpointError(
                path,
                f"must be saved with this config and corpus; {other}another config or another "
                "corpus saved it",
                fix="Resume the run that it belongs to, or start a new one.",
            )

    def save_best(self, model: nn.Module) -> None:
        """Save the weights of `model` as the best so far."""
        with atomic_file(self.best) as temporary:
            temporary.write_bytes(dump_weights(model))


def read_progress(directory: Path) -> dict[str, Any]:
    """Return how far training came by the checkpoint from which a run would be resumed.

    Returns:
        The fields of a `TrainingState`.

    Raises:
        CheckpointError: There is no checkpoint, all are damaged, or one cannot be read.
        MemoryError: There is too little memory to read one.
    """
    newest = _read_newest(directory)
    if newest is None:
        raise CheckpointError(
            directory, "must contain a checkpoint", fix="Has this run finished an epoch?"
        )
    progress: dict[str, Any] = newest[1]["progress"]
    return progress


class _DamagedError(CheckpointError):
    """A checkpoint that can be read is damaged; the one before it takes its place."""


def _read_newest(directory: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest undamaged checkpoint and its path; None if there is no checkpoint."""
    paths = [path for path in (directory / LAST, directory / PREVIOUS) if path.exists()]
    if not paths:
        return None
    try:
        return paths[0], _read_checkpoint(paths[0])
    except _DamagedError as error:
        if len(paths) == 1:
            raise
        try:
            state = _read_checkpoint(paths[1])
        except _DamagedError:
            raise error from None
        log.warning(
            "%s: %s; using %s, which was saved before it",
            error.where,
            error.rule,
            paths[1].name,
        )
        return paths[1], state


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint.

    Raises:
        _DamagedError: The file is damaged or is no checkpoint.
        CheckpointError: The file cannot be read, which says nothing about its content.
        MemoryError, RuntimeError: There is too little memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not {"format", "identity"} <= state.keys():
            raise ValueError("it is no checkpoint of framesweep")
    except Exception as error:
        if is_out_of_memory(error):
            raise
        if isinstance(error, OSError) and error.errno not in DAMAGE:
            rule = f"must be readable ({error.strerror})"
            raise CheckpointError(path, rule, fix="Its content may be undamaged.") from None
        reason = str(error).split("\n", maxsplit=1)[0]
        raise _DamagedError(
            path,
            f"must be an undamaged checkpoint ({reason})",
            fix=f"Delete the folder {path.parent} to start the run from its beginning.",
        ) from None
    return state


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
