"""Reads features that were computed earlier: .npy, torch's .pt, and Kaldi's .ark."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.kaldi import ArrayLocation
from framesweep.data.formats.kaldi_headers import MARK, MATRICES, read_extent
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.npy import load_npy
from framesweep.errors import DataError, UnsafeFileError

_MAX_KEY = 4096
"""Longest utterance id in an archive, in bytes."""


def read_feature_file(path: Path) -> Array:
    """Return the (T, D) features in an .npy or .pt file; a leading batch axis of 1 is removed.

    Raises:
        UnsafeFileError: the file contains a pickle that could run code.
        DataError: the file is unreadable, damaged, or contains anything but one such array.
    """
    array = load_npy(path) if path.suffix.lower() == ".npy" else load_tensor(path)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind != "f":
        rule = "must contain one array of (T, D) floating-point features"
        raise DataError(path, rule, found=f"{array.dtype} {array.shape}")
    return array


def load_tensor(path: Path) -> Array:
    """Return the tensor that torch.save wrote to a file, as an array.

    torch reads it with `weights_only`, which builds tensors and containers and calls nothing
    else that the file names.

    Raises:
        UnsafeFileError: the file contains more than tensors.
        DataError: the file is unreadable or damaged, or contains anything but one tensor.
    """
    import pickle

    import torch  # slow to import, and only this format needs it

    if not path.is_file():
        raise DataError(path, "must be a file")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            rule = "must contain one tensor only, because any other pickle can run code"
            raise UnsafeFileError(path, rule) from None
        raise _unreadable(path, error) from None
    # A damaged file makes torch raise nearly anything, from a KeyError to an AttributeError.
    except Exception as error:
        raise _unreadable(path, error) from None
    rule = "must contain one tensor of features"
    if not isinstance(content, torch.Tensor) or content.layout != torch.strided:
        raise DataError(path, rule, found=type(content).__name__)
    tensor = content.detach()
    try:
        # NumPy has no bfloat16; float32 represents each of its values.
        return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    # Tensors without values (device meta), quantized, nested and lazily conjugated ones.
    except (RuntimeError, TypeError) as error:
        raise DataError(path, f"{rule} ({str(error).splitlines()[0][:120]})") from None


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
    return DataError(path, f"must be a complete file of torch.save ({reason})")


def index_archive(path: Path) -> dict[str, ArrayLocation]:
    """Return where each matrix of a binary Kaldi archive is, by utterance id.

    Only the sizes are read: a matrix is skipped, and read by `read_array` when it is needed.

    Raises:
        DataError: the archive is unreadable, is text, or is damaged, or repeats an id.
    """
    found: dict[str, ArrayLocation] = {}
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            for id, offset in _scan(path, file, size):
                if id in found:
                    raise DataError(path, "must list each utterance once", found=id[:80])
                found[id] = ArrayLocation(path, offset, slice(None))
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None
    return found


def _scan(path: Path, file: BinaryIO, size: int) -> Iterator[tuple[str, int]]:
    while key := _read_key(path, file):
        offset = file.tell()
        if (mark := file.read(2)) != MARK:
            fix = "Convert it with copy-feats, or list its matrices in an .scp file."
            raise DataError(path, "must be a binary Kaldi archive", found=mark, fix=fix)
        try:
            kind, end = read_extent(file)
        except (struct.error, ValueError):
            raise DataError(path, "must end with a complete matrix", found=key[:80]) from None
        if kind not in MATRICES or end is None:
            raise DataError(path, "must contain matrices only", found=kind)
        if end > size:
            raise DataError(path, "must end with a complete matrix", found=key[:80])
        file.seek(end)
        yield key, offset


def _read_key(path: Path, file: BinaryIO) -> str:
    """Return the id before the next matrix; "" at the end of the archive."""
    key = bytearray()
    while (byte := file.read(1)) not in (b" ", b""):
        key += byte
        if len(key) > _MAX_KEY:
            raise DataError(path, "must be a Kaldi archive", found=bytes(key[:20]))
    try:
        text = normalize_name(key.decode().strip())
    except UnicodeDecodeError:
        raise DataError(path, "must be a Kaldi archive", found=bytes(key[:20])) from None
    if byte and not text:
        where = f"{path}, byte {file.tell() - 1}"
        raise DataError(where, "must have an utterance id before each matrix")
    if not byte and text:
        raise DataError(path, "must end with a complete matrix", found=text[:80])
    return text
