"""Reads the label of each frame of an utterance, from .npy files and from text."""

from pathlib import Path

from framesweep.data.formats.master_files import Part, read_part
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.npy import load_npy
from framesweep.errors import DataError


def read_frame_labels(path: Path, part: Part | None = None) -> list[str]:
    """Return one name per frame; labels that are numbers are named by their digits.

    Args:
        path: an .npy file with a (T,) array of integers or strings, or a text file.
        part: the line `UTTERANCE LABEL LABEL ...` of a text file of many utterances; None for a
            text file of one, which contains labels only.

    Raises:
        DataError: the file is unreadable, or contains anything else.
    """
    labels = _read_array(path) if path.suffix.lower() == ".npy" else _read_text(path, part)
    if not labels:
        raise DataError(path, "must contain at least one label")
    return labels


def _read_array(path: Path) -> list[str]:
    array = load_npy(path)
    if array.ndim != 1 or array.dtype.kind not in "iuUO":
        rule = "must contain a (T,) array of integers or names"
        raise DataError(path, rule, found=f"{array.dtype} {array.shape}")
    labels = array.tolist()
    if not all(isinstance(label, int | str) for label in labels):
        raise DataError(path, "must contain integers or names only")
    return [normalize_name(str(label).strip()) for label in labels]


def _read_text(path: Path, part: Part | None) -> list[str]:
    try:
        fields = read_part(path, part).decode("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"must be a readable text file ({error})") from None
    return [normalize_name(field) for field in fields[0 if part is None else 1 :]]
