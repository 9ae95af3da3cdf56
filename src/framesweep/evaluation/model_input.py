"""Reads what people pass to a logged model, in Python or as JSON, as utterances to label.

One utterance is one of these:

- features: (T, D) numbers;
- samples: (N,) numbers from -1 to 1, with their sample rate in Hz;
- a path: the text of an audio file's path.

They may be given by themselves, or as a mapping, a data frame or a list of records with the
columns `features`, `samples` and `sample_rate`, or `path`. Several utterances are several rows
of such columns, a list, or an array of one more dimension.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

DIMENSIONS = {"path": 0, "samples": 1, "features": 2}
"""Columns that hold utterances, and the number of dimensions of one utterance."""
SAMPLE_RATE = "sample_rate"
COLUMNS = (*DIMENSIONS, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class InputUtterance:
    """One utterance to label: a path, (T, D) features, or (N,) samples with their rate."""

    value: str | Array
    sample_rate: int | None = None


def parse_model_input(model_input: object, sample_rate: int | None) -> list[InputUtterance]:
    """Return the utterances of an input, at least one.

    Args:
        model_input: The input; see the module.
        sample_rate: Rate of samples that come without one, in Hz.

    Raises:
        DataError: if the input has another form.
    """
    columns = _read_columns(model_input)
    utterances = (
        list(_parse_rows(columns, sample_rate))
        if columns is not None
        else list(_parse_values(_to_array(model_input), sample_rate))
    )
    if not utterances:
        raise DataError("model input", "must contain an utterance", found="none")
    return utterances


def _read_columns(model_input: object) -> Mapping[str, Any] | None:
    """Return the columns of a mapping, data frame or list of records; None for other inputs.

    A data frame without any of our columns is an array of features.
    """
    if isinstance(model_input, Mapping):
        return {str(name): column for name, column in model_input.items()}
    if isinstance(model_input, list) and any(isinstance(row, Mapping) for row in model_input):
        return _transpose(model_input)
    # Not isinstance(model_input, pandas.DataFrame): nothing else here needs pandas.
    names = [str(name) for name in getattr(model_input, "columns", ())]
    if not set(names) & set(COLUMNS):
        return None
    frame: Any = model_input
    return {name: list(frame.iloc[:, index]) for index, name in enumerate(names)}


def _transpose(rows: list[Any]) -> dict[str, list[Any]]:
    """Return the columns of a list of records, all of which must have the same ones."""
    names = set(rows[0]) if isinstance(rows[0], Mapping) else set()
    if not all(isinstance(row, Mapping) and set(row) == names for row in rows):
        raise DataError("model input", "all records must have the same columns")
    return {str(name): [row[name] for row in rows] for name in rows[0]}


def _parse_rows(
    columns: Mapping[str, Any], sample_rate: int | None
) -> Iterator[InputUtterance]:
    kinds = [name for name in columns if name in DIMENSIONS]
    if len(kinds) != 1 or not set(columns) <= {*kinds, SAMPLE_RATE}:
        rule = "must have the column path, features, or samples (with sample_rate)"
        raise DataError("model input", rule, found=sorted(columns))
    kind = kinds[0]
    items = list(_split(_to_array(columns[kind]), DIMENSIONS[kind], kind))
    if SAMPLE_RATE not in columns:
        rates: list[int | None] = [sample_rate]
    else:
        given = _split(_to_array(columns[SAMPLE_RATE]), 0, SAMPLE_RATE)
        rates = [_to_rate(rate) for rate in given]
    if len(rates) not in (1, len(items)):
        rule = f"must be one number, or one for each of {len(items)} utterances"
        raise DataError(SAMPLE_RATE, rule, found=len(rates))
    rates = rates * len(items) if len(rates) == 1 else rates
    for item, rate in zip(items, rates, strict=True):
        yield _build(item, kind, rate)


def _parse_values(array: Array, sample_rate: int | None) -> Iterator[InputUtterance]:
    """Yield the utterances of an input without columns; their dimensions tell what they are."""
    if array.dtype == object:
        for item in array.ravel():
            yield from _parse_values(_to_array(item), sample_rate)
    elif array.dtype.kind == "U":
        yield from (_build(item, "path", None) for item in array.ravel())
    elif array.ndim == 1:
        yield _build(array, "samples", sample_rate)
    elif array.ndim in (2, 3):
        utterances = array if array.ndim == 3 else array[np.newaxis]
        yield from (_build(item, "features", None) for item in utterances)
    else:
        rule = "must be (T, D) features, (N,) samples, or paths"
        raise DataError("model input", rule, found=f"{array.ndim} dimensions")


def _build(item: Array, kind: str, sample_rate: int | None) -> InputUtterance:
    """Return one utterance, whose item has the dimensions of its kind.

    Raises:
        DataError: if it is not of numbers or, for a path, no text.
    """
    if kind == "path":
        if item.dtype.kind != "U":
            raise DataError("path", "must be text", found=item.item())
        return InputUtterance(str(item))
    if item.dtype.kind not in "fiu":
        raise DataError(kind, "must be numbers", found=str(item.dtype))
    if kind == "features":
        return InputUtterance(item if item.dtype.kind == "f" else item.astype(np.float32))
    if sample_rate is None:
        raise DataError("samples", "must come with their sample_rate in Hz")
    return InputUtterance(_scale(item), sample_rate)


def _scale(samples: Array) -> Array:
    """Return samples as floats or 16-bit integers.

    JSON has no types of integers: those that fit into 16 bits are such samples.
    """
    if samples.dtype.kind == "f" or samples.dtype in (np.int16, np.int32):
        return samples
    limits = np.iinfo(np.int16)
    if len(samples) and not limits.min <= samples.min() <= samples.max() <= limits.max:
        rule = "must be floats from -1 to 1, or integers of 16 bits"
        # As Python's integers: the absolute value of the lowest int64 is none.
        found = max(int(samples.min()), int(samples.max()), key=abs)
        raise DataError("samples", rule, found=found)
    return samples.astype(np.int16)


def _to_rate(value: Array) -> int:
    if value.dtype.kind not in "fiu" or not float(value) >= 1 or float(value) % 1:
        raise DataError(SAMPLE_RATE, "must be a whole number of Hz", found=value.item())
    return int(value)


def _split(array: Array, num_dimensions: int, name: str) -> Iterator[Array]:
    """Yield the items of a column, each with this number of dimensions."""
    if array.dtype == object:
        for item in array.ravel():
            yield from _split(_to_array(item), num_dimensions, name)
    elif array.ndim == num_dimensions:
        yield array
    elif array.ndim == num_dimensions + 1:
        yield from (np.asarray(item) for item in array)
    else:
        rule = f"must have {num_dimensions} dimensions, or one more for several utterances"
        raise DataError(name, rule, found=f"{array.ndim} dimensions")


def _to_array(value: object) -> Array:
    """Return a value as an array; of objects if it is a list of items of different sizes."""
    if isinstance(value, Path):
        return np.asarray(str(value))
    if isinstance(value, list | tuple):
        value = [str(item) if isinstance(item, Path) else item for item in value]
    try:
        array = np.asarray(value)
    except ValueError:
        items = np.empty(len(value), dtype=object) if isinstance(value, Sequence) else None
        if items is None:
            raise DataError("model input", "must be an array") from None
        items[:] = value
        return items
    if array.dtype != object:
        return array
    # Objects are paths, or the rows of a data frame.
    if all(isinstance(item, str) for item in array.ravel()):
        return array.astype(str)
    if array.ndim == 0:
        found = type(value).__name__
        raise DataError("model input", "must be numbers or paths", found=found)
    return array
