"""Describes a logged model: what it was trained on, its features, phones and metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framesweep.system.atomic_files import write_text
from framesweep.system.checksums import dump_json, load_json

MODEL_FOLDER = "model"
"""Folder in the directory of a run with its trained network."""
SUMMARY = "summary.json"
"""File of a model with what people want to know about its training."""
PREDICTOR_FILE = "predictor.json"
"""File of a model with what prediction needs: phones, features and normalization."""


def write_summary(
    directory: Path,
    *,
    corpus: str,
    frames: Mapping[str, int],
    widths: tuple[int, ...],
    num_params: int,
    context: int,
    epoch: int,
    metrics: Mapping[str, float],
) -> None:
    """Write the summary of a training next to its model.

    Args:
        directory: The folder of the model.
        corpus: The name of the corpus.
        frames: The number of frames of each split.
        epoch: The epoch of the weights.
        metrics: Metrics of that epoch.
    """
    summary = {
        "corpus": corpus,
        "frames": dict(frames),
        "widths": list(widths),
        "parameters": num_params,
        "context": context,
        "epoch": epoch,
        # Speeds differ from run to run, and would make the same weights another model.
        "metrics": {k: v for k, v in metrics.items() if k.startswith("dev/")},
    }
    write_text(directory / SUMMARY, dump_json(summary))


def read_summary(directory: Path) -> dict[str, Any]:
    """Return what `write_summary` wrote into the folder of a model; {} if that is not there."""
    return _read(directory / SUMMARY)


def describe_model(directory: Path) -> tuple[str, dict[str, Any]]:
    """Return the description of a model in Markdown, and the same as metadata.

    Models of earlier versions have no summary; what is known of them is described.
    """
    summary = read_summary(directory)
    predictor = _read(directory / PREDICTOR_FILE)
    names = ("phones", "feature_dim", "frame_shift_ms", "featurization", "digest")
    metadata = summary | {name: predictor[name] for name in names if name in predictor}
    return "\n\n".join(_describe(metadata)), metadata


def _describe(metadata: dict[str, Any]) -> list[str]:
    paragraphs = ["Frame-level phone classifier, trained by framesweep."]
    if "corpus" in metadata:
        frames = metadata["frames"]
        sizes = ", ".join(f"{name} {number:,} frames" for name, number in frames.items())
        widths = "-".join(map(str, metadata["widths"]))
        metrics = ", ".join(f"{k} {v:.4f}" for k, v in sorted(metadata["metrics"].items()))
        paragraphs += [
            f"**Trained on** {metadata['corpus']}: {sizes}.",
            f"**Network:** {widths}, {metadata['parameters']:,} parameters, "
            f"{metadata['context']} frames of context on each side.",
            f"**Metrics** of epoch {metadata['epoch']}: {metrics}.",
        ]
    if "feature_dim" in metadata:
        paragraphs.append(f"**Features:** {_describe_features(metadata)}.")
    if "phones" in metadata:
        phones = metadata["phones"]
        paragraphs.append(f"**{len(phones)} phones:** {' '.join(phones)}")
    paragraphs.append(
        "**Input:** features of shape (frames, features per frame); samples from -1 to 1 with "
        "`sample_rate`; or the path of an audio file. **Output:** a row for each phone, with "
        "its times in seconds and its mean posterior; with `frames=true`, one for each frame."
    )
    return paragraphs


def _describe_features(metadata: dict[str, Any]) -> str:
    size = f"{metadata['feature_dim']} per frame"
    options = metadata.get("featurization")
    if options is None:
        return f"{size}, from files of features, so that audio cannot be labelled"
    return (
        f"{size} ({options['features']}), {options['window_ms']:g} ms windows, "
        f"{options['shift_ms']:g} ms shift, of audio at {options['sample_rate']:,} Hz"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
