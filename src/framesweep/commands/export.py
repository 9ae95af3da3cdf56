"""framesweep export: write the network of a run as ONNX or TorchScript."""

from __future__ import annotations

from pathlib import Path

import click

from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import echo_result, json_option


@click.command()
@click.argument("run_id", metavar="RUN_ID")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["onnx", "torchscript"]),
    default="onnx",
    show_default=True,
    help="Format of the file. onnx needs the extra export: pip install 'framesweep[export]'.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: model.onnx or model.pt]",
)
@json_option
@tracking_options
def command(
    run_id: str,
    *,
    kind: str,
    out: Path | None,
    as_json: bool,
    uri: str | None,
    outputs: Path,
) -> None:
    """Write the network of a run to a file that needs neither framesweep nor its corpus.

    The exported network maps the features of an utterance of one or more frames, (frames,
    features per frame) float32, to the log-posteriors of the phones. Normalization and context
    windows are part of it. It is compared with the original before the file appears.
    """
    from framesweep.evaluation.export import SUFFIXES, export
    from framesweep.evaluation.predictor import Predictor
    from framesweep.runs.ensembles.predictions import require_model
    from framesweep.tracking import find_run_directory

    predictor = Predictor.load(require_model(find_run_directory(run_id, uri, outputs)))
    path = out or Path("model").with_suffix(SUFFIXES[kind])
    export(predictor, path, kind)
    size = path.stat().st_size
    echo_result(
        as_json,
        {
            "file": path,
            "format": kind,
            "feature_dim": predictor.feature_dim,
            "phones": predictor.phones.names,
            "bytes": size,
        },
        f"{path}: features (frames, {predictor.feature_dim}) to log-posteriors of "
        f"{predictor.phones.size_in_words}, {size / 1e6:.1f} MB",
    )
