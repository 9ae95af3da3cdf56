"""Registers logged models under a name, as versions of a model in MLflow's registry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.credentials import scrub
from framesweep.errors import CheckpointError, TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_errors import is_temporary, translate_damage
from framesweep.tracking.models.description import MODEL_FOLDER, PREDICTOR_FILE
from framesweep.tracking.models.mlflow_model import (
    DIGEST_TAG,
    NOTE_TAG,
    VERSIONS_TAG,
    find_model,
    log_model,
)

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

BEST_ALIAS = "best"
"""Alias of the version that won: it is loaded as `models:/NAME@best`."""
MODEL_TAG = "framesweep.model"
"""Tag of a version with the id of its logged model, by which a second attempt finds it."""


def register_run(client: "MlflowClient", run_id: str, name: str) -> str:
    """Register the model of a run as a version of the model `name`, once.

    Returns:
        The number of the version: a new one, or the one that the model already has.

    Raises:
        TrackingError: the run has no model.
        MlflowException: the registry refuses it, or cannot be reached.
    """
    model = find_model(client, run_id)
    if model is None:
        raise TrackingError(f"run {run_id}", "must have a logged model to be registered")
    _create_name(client, name)
    version = _find_version(client, name, model.model_id)
    if version is None:
        created = client.create_model_version(
            name,
            # Not models:/<id>, which MLflow resolves with its global tracking URI.
            model.artifact_location,
            run_id,
            tags={MODEL_TAG: model.model_id, DIGEST_TAG: model.tags.get(DIGEST_TAG, "")},
            description=model.tags.get(NOTE_TAG),
            model_id=model.model_id,
        )
        version = str(created.version)
    _tag_model(client, model.model_id, name, version)
    return version


def register_winner(
    uri: str | None, outputs: Path, run_id: str, directory: Path, name: str
) -> str:
    """Register the network of the run in `directory` as another run's model, called `best`.

    Everything is done once: a model, a version or an alias that is there already stays.

    Args:
        uri: `tracking.uri`; None for SQLite in `outputs`.
        run_id: The run that the model is logged to, unless it has it already: the parent of
            the sweep that the run in `directory` has won.

    Returns:
        The number of the version.

    Raises:
        TrackingError: tracking cannot be reached, lacks the run, or has no registry.
        CheckpointError: the directory has no trained network.
    """
    from mlflow.exceptions import MlflowException

    folder = directory / MODEL_FOLDER
    if not (folder / PREDICTOR_FILE).exists():
        rule = f"must contain {MODEL_FOLDER}/{PREDICTOR_FILE}"
        fix = f"Train the trial again, with tracking.register={name}."
        raise CheckpointError(directory, rule, fix=fix)
    full_uri = mlflow_store.resolve_tracking_uri(uri, outputs)
    try:
        with translate_damage(full_uri):
            client = mlflow_store.connect(full_uri, outputs)
            log_model(client, run_id, folder)
            version = register_run(client, run_id, name)
            client.set_registered_model_alias(name, BEST_ALIAS, version)
    except MlflowException as error:
        raise _describe(error, full_uri) from None
    return version


def _create_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find_version(client: "MlflowClient", name: str, model_id: str) -> str | None:
    """Return the version of a logged model that an earlier attempt has created."""
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(MODEL_TAG) == model_id:
            return str(version.version)
    return None


def _tag_model(client: "MlflowClient", model_id: str, name: str, version: str) -> None:
    """Link a logged model to its version, as MLflow's own `register_model` does.

    The UI shows the link. An MLflow server has set the tag itself.
    """
    tags = client.get_logged_model(model_id).tags
    versions = json.loads(tags.get(VERSIONS_TAG, "[]"))
    if not any((v["name"], str(v["version"])) == (name, version) for v in versions):
        versions.append({"name": name, "version": int(version)})
        client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps(versions)})


def _describe(error: "MlflowException", uri: str) -> TrackingError:
    reason = scrub(str(error)).strip().split("\n", maxsplit=1)[0]
    if is_temporary(error):
        return TrackingError(scrub(uri), f"must be reachable ({reason})")
    return TrackingError(
        scrub(uri),
        f"must have a model registry that accepts the model ({reason})",
        fix="Use a database, or an MLflow server with one.",
    )
