"""A trained network as an MLflow model that carries its code, and no pickle."""

import hashlib
import re
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.tracking import MlflowClient

NAME = "model"
DIGEST = "framesweep.digest"
PREDICTOR = "framesweep.evaluation.predictor:Predictor"
"""What the model loads and asks: `load(directory)` gives it, `predict(features)` answers."""

REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors", "omegaconf", "hydra-core")


def log_model(client: "MlflowClient", run_id: str, directory: Path, feature_dim: int) -> None:
    """Logs the predictor in `directory` as `runs:/<run_id>/model`.

    A run has one such model: nothing happens where it is there already, and one of other
    weights, or that was left half-written, is replaced.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    experiment_id = client.get_run(run_id).info.experiment_id
    digest = _digest(directory)
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    former = [model for model in found if model.name == NAME]
    if any(
        m.status == LoggedModelStatus.READY and m.tags.get(DIGEST) == digest for m in former
    ):
        return
    logged = client.create_logged_model(experiment_id, NAME, run_id, {DIGEST: digest})
    description = Model(run_id=run_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / NAME, directory, feature_dim, description)
        client.log_model_artifacts(logged.model_id, str(Path(folder) / NAME))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    for model in former:
        client.delete_logged_model(model.model_id)


def _digest(directory: Path) -> str:
    """SHA-256 of all files in the folder."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def save_model(
    path: Path, directory: Path, feature_dim: int, description: object = None
) -> None:
    """Writes the MLflow model of the predictor in `directory` to `path`.

    The model holds a copy of this package, so it can be loaded where framesweep is not
    installed.
    """
    from mlflow import pyfunc

    package = Path(__file__).resolve().parents[1]
    pyfunc.save_model(
        path,
        mlflow_model=description,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"predictor": str(directory)},
        model_config={"predictor": PREDICTOR},
        signature=_signature(feature_dim),
        code_paths=[str(package)],
        pip_requirements=_requirements(),
    )


def _signature(feature_dim: int) -> "ModelSignature":
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, feature_dim))]),
        outputs=Schema([TensorSpec(np.dtype(np.int64), (-1,))]),
    )
    # MLflow then leaves checking to the model, which takes floats of every width.
    signature._is_signature_from_type_hint = True
    return signature


def _requirements() -> list[str]:
    """What loading needs, pinned to what is installed; a local build's mark is left off."""
    pinned = []
    for name in REQUIREMENTS:
        try:
            pinned.append(f"{name}=={re.sub(r'[+].*', '', version(name))}")
        except PackageNotFoundError:
            continue
    return pinned
