"""Logs a trained network as an MLflow model that contains its code and no pickle."""

import hashlib
import re
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.tracking import MlflowClient

MODEL_NAME = "model"
DIGEST_TAG = "framesweep.digest"
"""Tag of a logged model with the hash of the predictor's files."""

PREDICTOR = "framesweep.evaluation.predictor:Predictor"
"""Class of the predictor in the model; it has `load(directory)` and `predict(features)`."""

REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors", "omegaconf", "hydra-core")
"""Packages that the code in the model imports when it predicts."""


def log_model(client: "MlflowClient", run_id: str, directory: Path, feature_dim: int) -> None:
    """Log the predictor in `directory` as `runs:/<run_id>/model`.

    A run has one such model. If it already has one of the same files, nothing happens; one of
    other weights, or one that a killed process left incomplete, is replaced.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    experiment_id = client.get_run(run_id).info.experiment_id
    digest = _hash_files(directory)
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    previous = [model for model in found if model.name == MODEL_NAME]
    if any(
        m.status == LoggedModelStatus.READY and m.tags.get(DIGEST_TAG) == digest
        for m in previous
    ):
        return
    logged = client.create_logged_model(experiment_id, MODEL_NAME, run_id, {DIGEST_TAG: digest})
    description = Model(run_id=run_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / MODEL_NAME, directory, feature_dim, description)
        client.log_model_artifacts(logged.model_id, str(Path(folder) / MODEL_NAME))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    # Last, so that the run has a complete model at every moment.
    for model in previous:
        client.delete_logged_model(model.model_id)


def _hash_files(directory: Path) -> str:
    """Return the SHA-256 of the contents of all files in the folder, in order of names."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def save_model(
    path: Path, directory: Path, feature_dim: int, description: object = None
) -> None:
    """Write the predictor in `directory` as an MLflow model to `path`.

    The model contains a copy of this package, so it can be loaded where framesweep is not
    installed. It is defined by a source file ("models from code") instead of a pickled object,
    because loading a pickle runs whatever code is in it:
    https://mlflow.org/docs/latest/ml/model/models-from-code/

    Args:
        description: the `mlflow.models.Model` to fill in; None for a new one.
    """
    from mlflow import pyfunc

    package = Path(__file__).resolve().parents[1]
    pyfunc.save_model(
        path,
        mlflow_model=description,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"predictor": str(directory)},
        model_config={"predictor": PREDICTOR},
        signature=_build_signature(feature_dim),
        code_paths=[str(package)],
        pip_requirements=_pin_requirements(),
    )


def _build_signature(feature_dim: int) -> "ModelSignature":
    """Return the signature: (T, feature_dim) float32 features to (T,) int64 phone ids."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, feature_dim))]),
        outputs=Schema([TensorSpec(np.dtype(np.int64), (-1,))]),
    )
    # Otherwise MLflow rejects float16 and float64, which the model converts. With this flag it
    # leaves the check of inputs to the model.
    signature._is_signature_from_type_hint = True
    return signature


def _pin_requirements() -> list[str]:
    """Return REQUIREMENTS pinned to the installed versions.

    The suffix of a local build, such as `+cpu`, is dropped: package indexes do not have it.
    """
    pinned = []
    for name in REQUIREMENTS:
        try:
            pinned.append(f"{name}=={re.sub(r'[+].*', '', version(name))}")
        except PackageNotFoundError:
            continue
    return pinned
