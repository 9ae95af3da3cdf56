"""A trained network as an MLflow model that carries its code, and no pickle."""

import re
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.tracking import MlflowClient

NAME = "model"
REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors", "omegaconf", "hydra-core")


def log_model(client: "MlflowClient", run_id: str, directory: Path, feature_dim: int) -> None:
    """Logs the predictor in `directory` as `runs:/<run_id>/model`, unless that is there.

    The model holds a copy of this package, so it can be loaded where framesweep is not
    installed.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    run = client.get_run(run_id)
    if run.outputs is not None and run.outputs.model_outputs:
        return
    logged = client.create_logged_model(run.info.experiment_id, NAME, run_id)
    description = Model(run_id=run_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / NAME, directory, feature_dim, description)
        client.log_model_artifacts(logged.model_id, str(Path(folder) / NAME))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def save_model(
    path: Path, directory: Path, feature_dim: int, description: object = None
) -> None:
    """Writes the MLflow model of the predictor in `directory` to `path`."""
    from mlflow import pyfunc

    package = Path(__file__).resolve().parents[1]
    pyfunc.save_model(
        path,
        mlflow_model=description,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"predictor": str(directory)},
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
