"""Exports a trained network to ONNX or TorchScript, and checks what was exported.

The file maps `features`, (T, D) float32 of one or more frames, to `log_posteriors`, (T, C).
It also holds what labels need in addition, as texts: see `describe`.
"""

import json
import logging
import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from framesweep.data.corpus import Array
from framesweep.errors import ConfigError
from framesweep.evaluation.portable_network import (
    PortableNetwork,
    keep_loops,
    use_onnx_operators,
)
from framesweep.evaluation.predictor import Predictor
from framesweep.models.sequence_network import SequenceNetwork
from framesweep.system.atomic_files import atomic_file

INPUT, OUTPUT = "features", "log_posteriors"
"""Names of the input and the output of an exported network."""
SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}
"""Formats, and the suffix of their files."""
METADATA_FILE = "framesweep.json"
"""Name under which a TorchScript file holds its metadata, as one JSON object."""
COLORS = re.compile(r"\x1b\[[0-9;]*m")
"""Codes by which exporters color their errors."""
ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")

TOLERANCE = 1e-4
"""Largest difference of a log-posterior, relative to its size where that exceeds 1."""
TRACED_FRAMES, CHECKED_FRAMES = 16, (1, 7, 61)
"""Frames of the example that is traced, and of the utterances that are compared.

For a network that reads chunks, the example is longer by a chunk, because an exporter takes a
single one for a constant; and utterances of more than one chunk are compared as well.
"""


def export(predictor: Predictor, path: Path, kind: str) -> None:
    """Write a network as `onnx` or `torchscript`, and compare it with the predictor.

    Raises:
        ConfigError: if the packages for ONNX are not installed, or if the exporter of torch
            does not reproduce the network.
    """
    if kind == "onnx":
        _require_onnx()
    write = _write_onnx if kind == "onnx" else _write_torchscript
    load = _load_onnx if kind == "onnx" else _load_torchscript
    portable, metadata = PortableNetwork(predictor).eval(), describe(predictor)
    with atomic_file(path) as temporary:
        # Now, because the writers of some formats hide why a file cannot be created.
        temporary.touch()
        try:
            write(portable, temporary, metadata)
        except OSError:
            raise
        except Exception as error:
            # Exporters raise errors of many kinds about operations that they do not know.
            raise _cannot_export(kind, _find_reason(error)) from error
        _require_equal(load(temporary), predictor, kind)


def describe(predictor: Predictor) -> dict[str, str]:
    """Return what an exported file says about itself: JSON texts by name.

    - phones: the names of the C phones, in the order of the posteriors.
    - features: how they were computed from audio, by the names of `data=segments`; null for a
      network that was trained on files of features.
    - feature_dim, context, frame_shift_ms: numbers.
    """
    featurization = predictor.featurization
    values = {
        "phones": list(predictor.phones.names),
        "features": None if featurization is None else featurization.to_dict(),
        "feature_dim": predictor.feature_dim,
        "context": predictor.context,
        "frame_shift_ms": predictor.frame_shift_ms,
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}


def _require_onnx() -> None:
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            "--format=onnx",
            f"needs the package {missing[0]}",
            fix="Type: pip install 'framesweep[export]'",
        )


def _find_reason(error: BaseException) -> str:
    """Return the first line of the error that caused this one, without colors."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = COLORS.sub("", str(error)).strip() or type(error).__name__
    return text.split("\n", maxsplit=1)[0]


def _cannot_export(kind: str, reason: str) -> ConfigError:
    other = "onnx" if kind == "torchscript" else "torchscript"
    return ConfigError(
        f"--format={kind}",
        f"must be able to express the network ({reason})",
        fix=f"Try --format={other}.",
    )


def _write_torchscript(portable: PortableNetwork, path: Path, metadata: dict[str, str]) -> None:
    example = _draw_features(_count_traced_frames(portable), portable.feature_dim)
    with warnings.catch_warnings(), torch.no_grad():
        # The warnings of the tracer are about lines that `_require_equal` checks.
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
            keep_loops(portable), torch.from_numpy(example), check_trace=False
        )
        texts = {METADATA_FILE: json.dumps(metadata)}
        torch.jit.save(traced, str(path), _extra_files=texts)


def _load_torchscript(path: Path) -> Callable[[Array], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, though not replaced in C++
        loaded: Any = torch.jit.load(str(path))  # type: ignore[no-untyped-call]

    def run(features: Array) -> Tensor:
        with torch.no_grad():
            return loaded(torch.from_numpy(features))  # type: ignore[no-any-return]

    return run


def _write_onnx(portable: PortableNetwork, path: Path, metadata: dict[str, str]) -> None:
    import onnx

    num_frames = _count_traced_frames(portable)
    example = torch.from_numpy(_draw_features(num_frames, portable.feature_dim))
    frames = torch.export.Dim("frames", min=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            use_onnx_operators(portable),
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: frames},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())


def _load_onnx(path: Path) -> Callable[[Array], Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # only what is fatal: errors are raised besides
    session = onnxruntime.InferenceSession(path.read_bytes(), options)
    return lambda features: torch.from_numpy(session.run(None, {INPUT: features})[0])


def _require_equal(run: Callable[[Array], Tensor], predictor: Predictor, kind: str) -> None:
    """Raise ConfigError unless the exported network has the posteriors of the predictor.

    A tracer records one path through a network, silently. Of a network that computes something
    else for another number of frames, the export would be wrong.
    """
    size = _chunk_frames(predictor.model)
    longer = (size + 1, 3 * size) if size else ()
    for num_frames in (*CHECKED_FRAMES, *longer):
        features = _draw_features(num_frames, predictor.feature_dim)
        expected = predictor.log_posteriors(features)
        try:
            found = run(features)
        except Exception as error:
            reason = f"it fails for {num_frames} frames: {_find_reason(error)}"
            raise _cannot_export(kind, reason) from error
        if not torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            difference = (found - expected).abs().max().item()
            reason = f"log-posteriors of {num_frames} frames differ by {difference:.2g}"
            raise _cannot_export(kind, reason)


def _chunk_frames(network: nn.Module) -> int:
    """Return the frames of a chunk, 0 for a network that does not read chunks."""
    return network.chunk_frames if isinstance(network, SequenceNetwork) else 0


def _count_traced_frames(portable: PortableNetwork) -> int:
    return _chunk_frames(portable.network) + TRACED_FRAMES


def _draw_features(num_frames: int, feature_dim: int) -> Array:
    """Return (num_frames, feature_dim) float32 noise, around the level of log-mel energies."""
    noise = np.random.default_rng(0).normal(10.0, 3.0, (num_frames, feature_dim))
    return noise.astype(np.float32)
