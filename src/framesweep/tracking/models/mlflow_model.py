"""Logs a trained network as an MLflow model that contains its code and no pickle."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import framesweep
import hydra_plugins.framesweep_sweeper
from framesweep.tracking.models.description import describe_model

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature
    from mlflow.tracking import MlflowClient

MODEL_NAME = "model"
DIGEST_TAG = "framesweep.digest"
"""Tag of a logged model with the hash of the predictor's files."""
NOTE_TAG = "mlflow.note.content"
"""Tag with the description that MLflow's UI shows, in Markdown."""
VERSIONS_TAG = "mlflow.modelVersions"
"""Tag with the registered versions of a logged model, which MLflow's UI shows."""

SERVED_MODEL = "framesweep.evaluation.served_model:ServedModel"
"""Class that the model loads; it has `load(directory)` and `predict(model_input, params)`."""

REQUIREMENTS = (
    *("mlflow", "torch", "numpy", "safetensors", "omegaconf", "filelock"),
    *("kaldi-native-fbank", "soundfile", "scipy", "numba"),
)
"""Packages that the code in the model imports when it predicts."""


def log_model(client: "MlflowClient", run_id: str, directory: Path) -> None:
    """Log the predictor in `directory` as `runs:/<run_id>/model`.

    A run has one such model. If it already has one of the same files, nothing happens; one of
    other weights, or one that a killed process left incomplete or whose files are gone, is
    replaced. A model that is registered is kept all the same, because its versions refer to its
    files.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    experiment_id = client.get_run(run_id).info.experiment_id
    digest = _hash_files(directory)
    previous = _find_models(client, run_id, experiment_id)
    if any(
        m.status == LoggedModelStatus.READY
        and m.tags.get(DIGEST_TAG) == digest
        and client.list_logged_model_artifacts(m.model_id)
        for m in previous
    ):
        return
    note, metadata = describe_model(directory)
    logged = client.create_logged_model(
        experiment_id, MODEL_NAME, run_id, {DIGEST_TAG: digest, NOTE_TAG: note}
    )
    description = Model(run_id=run_id, model_id=logged.model_id, metadata=metadata)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / MODEL_NAME, directory, description)
        client.log_model_artifacts(logged.model_id, str(Path(folder) / MODEL_NAME))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    # Last, so that the run has a complete model at every moment.
    for model in previous:
        if VERSIONS_TAG not in model.tags:
            client.delete_logged_model(model.model_id)


def find_model(client: "MlflowClient", run_id: str) -> "LoggedModel | None":
    """Return the complete model that was last logged to a run; None without one."""
    from mlflow.entities import LoggedModelStatus

    experiment_id = client.get_run(run_id).info.experiment_id
    models = _find_models(client, run_id, experiment_id)
    ready = [model for model in models if model.status == LoggedModelStatus.READY]
    return max(ready, key=lambda model: model.creation_timestamp, default=None)


def _find_models(
    client: "MlflowClient", run_id: str, experiment_id: str
) -> "list[LoggedModel]":
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    return [model for model in found if model.name == MODEL_NAME]


def _hash_files(directory: Path) -> str:
    """Return the SHA-256 of the contents of all files in the folder, in order of names."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def save_model(path: Path, directory: Path, description: object = None) -> None:
    """Write the predictor in `directory` as an MLflow model to `path`.

    The model contains a copy of this package and of its sweeper, of which it uses a little, so
    it can be loaded where framesweep is not installed. It is defined by a source file ("models
    from code") instead of a pickled object, because loading a pickle runs whatever code is in
    it: https://mlflow.org/docs/latest/ml/model/models-from-code/

    Args:
        description: the `mlflow.models.Model` to fill in; None for a new one.
    """
    from mlflow import pyfunc

    with _trusted_requirements(), tempfile.TemporaryDirectory() as folder:
        pyfunc.save_model(
            path,
            mlflow_model=description,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"predictor": str(directory)},
            model_config={"served_model": SERVED_MODEL},
            signature=_build_signature(),
            code_paths=[str(path) for path in _collect_code(Path(folder))],
            pip_requirements=_pin_requirements(),
        )


def _collect_code(folder: Path) -> list[Path]:
    """Return the folders of the packages that a model contains, some of them made in `folder`.

    Other distributions have modules in `hydra_plugins` as well, so the sweeper is copied into
    a folder of that name by itself.
    """
    sweeper = Path(hydra_plugins.framesweep_sweeper.__file__).parent
    copy = folder / sweeper.parent.name / sweeper.name
    shutil.copytree(sweeper, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return [Path(framesweep.__file__).parent, copy.parent]


@contextmanager
def _trusted_requirements() -> Iterator[None]:
    """Keep MLflow from comparing the requirements with what is installed.

    They are the installed versions. For the comparison, MLflow reads the list of files of every
    installed package, which takes half a second of each run. A version of MLflow that compares
    by another function is slower, and writes the same model.
    """
    from mlflow.utils import environment

    name = "warn_dependency_requirement_mismatches"
    compare = getattr(environment, name, None)
    if compare is None:
        yield
        return
    setattr(environment, name, lambda requirements: None)
    try:
        yield
    finally:
        setattr(environment, name, compare)


def _build_signature() -> "ModelSignature":
    """Return the signature: the columns of the output, and the params of a prediction.

    It has no input schema. MLflow would cast every input to that one, and reject float16 and
    float64; and there is none for features, samples and paths alike. The model validates its
    input itself, so that `inputs`, `instances` and `dataframe_split` are served alike.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    columns = {
        "utterance": "long",
        "phone": "string",
        "id": "long",
        "start_s": "double",
        "end_s": "double",
        "posterior": "double",
    }
    return ModelSignature(
        outputs=Schema([ColSpec(kind, name) for name, kind in columns.items()]),
        params=ParamSchema(
            [
                ParamSpec("sample_rate", "long", 0),
                ParamSpec("smooth", "boolean", False),
                ParamSpec("frames", "boolean", False),
            ]
        ),
    )


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
