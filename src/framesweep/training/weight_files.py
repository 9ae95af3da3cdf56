"""Files of weights: safetensors with a checksum, which the format itself does not have."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from framesweep.errors import CheckpointError
from framesweep.system.checksums import crc32

CHECKSUM_KEY = "framesweep.checksum"
"""Key in the metadata of a file with the checksum of its tensors."""

HEADER_SIZE_BYTES = 8
"""A file begins with the length of its JSON header, as a little-endian integer of 8 bytes."""


def dump_weights(model: nn.Module) -> bytes:
    """Return the weights of `model` in the safetensors format, with their checksum."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # The bytes of the tensors are the same whatever the metadata in front of them.
    return save(weights, {CHECKSUM_KEY: _checksum(save(weights))})


def load_weights(model: nn.Module, path: Path, fix: str = "") -> None:
    """Load weights from a safetensors file into `model`.

    A file without a checksum, which earlier versions wrote, is accepted.

    Args:
        model: The network.
        path: The file.
        fix: What to do if the file is damaged.

    Raises:
        CheckpointError: The file is missing, damaged, or of another network.
    """
    try:
        model.load_state_dict(_load(path.read_bytes()))
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise CheckpointError(
            path, f"must hold this model's weights, undamaged ({reason})", fix=fix
        ) from None


def _load(data: bytes) -> dict[str, Tensor]:
    """Return the tensors of a file by name.

    Raises:
        SafetensorError: The header is damaged.
        ValueError: The checksum differs.
    """
    weights: dict[str, Tensor] = load(data)
    expected = _read_header(data).get("__metadata__", {}).get(CHECKSUM_KEY)
    if expected is not None and expected != _checksum(data):
        raise ValueError("the checksum of the weights differs")
    return weights


def _checksum(data: bytes) -> str:
    """Return the CRC-32 of the tensors and of the header without the metadata."""
    header = _read_header(data)
    header.pop("__metadata__", None)
    start = HEADER_SIZE_BYTES + int.from_bytes(data[:HEADER_SIZE_BYTES], "little")
    tensors = crc32(memoryview(data)[start:])
    return f"{crc32(json.dumps(header, sort_keys=True).encode(), tensors):08x}"


def _read_header(data: bytes) -> dict[str, dict[str, str]]:
    size = int.from_bytes(data[:HEADER_SIZE_BYTES], "little")
    header: dict[str, dict[str, str]] = json.loads(data[HEADER_SIZE_BYTES:][:size])
    return header
