"""Chooses the implementation of each matrix multiplication by measuring it once per machine.

A run keeps its choice in its checkpoints (see `training.matmul_choices`). The cache lets all
runs of this user on this machine make the same one, so that training again computes the same
bits, and only the first run measures.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from framesweep.errors import ConfigError
from framesweep.kernels.backends import (
    ONEDNN,
    TORCH,
    Backends,
    LinearCall,
    default_backends,
    find_fastest,
    is_available,
)
from framesweep.system.atomic_files import write_text
from framesweep.system.checksums import dump_json, load_json
from framesweep.system.processor import find_user_cache, name_processor

log = logging.getLogger(__name__)

VARIABLE = "FRAMESWEEP_MATMUL"
"""Environment variable that names one implementation for all multiplications: torch or onednn.
default takes that of earlier versions, and auto, which it is if unset, the fastest."""
AUTO, DEFAULT = "auto", "default"
CACHE_FILE = "matmuls.json"
LOCK_SECONDS = 60.0
"""How long to wait for another process that measures."""

_MEASURED_ROWS, _MEASURED_WIDTH, _ALIGNMENT = 256, 1024, 64
"""Largest sizes that are measured: enough to tell, in milliseconds. How a width is aligned in
memory matters too, so its remainder remains."""
_MIN_OPERATIONS = 1 << 24
"""Floating-point operations below which a difference could not be measured, nor matters."""


def choose_backends(
    calls: Iterable[LinearCall], dtype: torch.dtype, folder: Path | None = None
) -> dict[str, Backends]:
    """Return the fastest backends of each layer that is called, by its name.

    Args:
        calls: The uses of linear layers in a step; of several uses of a layer the last counts.
        dtype: The type of the factors, float32 or bfloat16.
        folder: Where measurements are cached; None for the user's cache.

    Raises:
        ConfigError: The environment names an implementation that does not exist here.
    """
    default = default_backends(dtype)
    assert default is not None
    choice = _read_variable()
    if choice != AUTO:
        fixed = default if choice == DEFAULT else Backends(choice, choice, choice)
        return {call.layer: fixed for call in calls}
    measured = {(op, _shorten(call)) for call in calls for op in _list_measurable(call)}
    names = _measure_missing(measured, dtype, folder or find_user_cache())
    chosen = {}
    for call in calls:
        own = {
            operation: names[_key(operation, _shorten(call), dtype)]
            for operation in _list_measurable(call)
        }
        chosen[call.layer] = default._replace(**own)
    return chosen


def _read_variable() -> str:
    """Return the choice that the environment prescribes."""
    name = os.environ.get(VARIABLE, AUTO)
    allowed = [AUTO, DEFAULT, *(one for one in (TORCH, ONEDNN) if is_available(one))]
    if name not in allowed:
        rule = f"must be one of {' '.join(allowed)} on this machine"
        raise ConfigError(VARIABLE, rule, found=name, fix=f"Unset {VARIABLE}.")
    return name


def _list_measurable(call: LinearCall) -> list[str]:
    """Return the operations of a call that take long enough to be measured."""
    if 2 * call.rows * call.fan_in * call.fan_out < _MIN_OPERATIONS:
        return []
    operations = ["forward", "weight_gradient"]
    return [*operations, "input_gradient"] if call.needs_input_gradient else operations


def _shorten(call: LinearCall) -> LinearCall:
    """Return the call that is measured in place of one: shorter, and the same for all alike."""
    return LinearCall(
        layer="",
        rows=min(call.rows, _MEASURED_ROWS),
        fan_in=_narrow(call.fan_in),
        fan_out=_narrow(call.fan_out),
        needs_input_gradient=True,
    )


def _narrow(width: int) -> int:
    return width if width <= _MEASURED_WIDTH else _MEASURED_WIDTH + width % _ALIGNMENT


def _key(operation: str, call: LinearCall, dtype: torch.dtype) -> str:
    """Return what a choice depends on, as a key of the cache."""
    shape = f"{call.rows}x{call.fan_in}x{call.fan_out}"
    return f"{operation} {shape} {str(dtype).removeprefix('torch.')}"


def _measure_missing(
    measured: set[tuple[str, LinearCall]], dtype: torch.dtype, folder: Path
) -> dict[str, str]:
    """Return the choice by key for all that is asked, from the cache as far as possible."""
    path = folder / CACHE_FILE
    wanted = {_key(op, call, dtype): (op, call) for op, call in sorted(measured)}
    names = _read(path)
    if wanted.keys() <= names.keys():
        return names
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{CACHE_FILE}.lock", timeout=LOCK_SECONDS):
            names = _read(path)  # another process may have measured meanwhile
            names |= _measure(wanted, names, dtype)
            _write(path, names)
    except (OSError, NotImplementedError) as error:
        # A home folder may be read-only, or on a file system without locks.
        log.debug("%s: the measured multiplications are not cached: %s", path, error)
        names |= _measure(wanted, names, dtype)
    return names


def _measure(
    wanted: dict[str, tuple[str, LinearCall]], known: dict[str, str], dtype: torch.dtype
) -> dict[str, str]:
    return {
        key: find_fastest(operation, call, dtype)
        for key, (operation, call) in wanted.items()
        if key not in known
    }


def describe_machine() -> str:
    """Return what a measurement is valid for: processor, version of torch and threads."""
    return f"{name_processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def _read_all(path: Path) -> dict[str, Any]:
    """Return the choices of all machines in the cache; none if it is missing or damaged."""
    try:
        return load_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s: is not used and measured again: %s", path, error)
        return {}


def _read(path: Path) -> dict[str, str]:
    """Return the choices that were measured on a machine like this one and still exist."""
    names = _read_all(path).get(describe_machine(), {})
    if not isinstance(names, dict):
        return {}
    return {key: name for key, name in names.items() if is_available(name)}


def _write(path: Path, names: dict[str, str]) -> None:
    write_text(path, dump_json({**_read_all(path), describe_machine(): names}))
