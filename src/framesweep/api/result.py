"""A trained run in Python: its metrics, and the network for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from framesweep.api.process_state import isolated_torch
from framesweep.catalog.directories import (
    TRACKING_FOLDER,
    require_directory,
    require_run_directory,
)
from framesweep.catalog.run_file import read_run_file
from framesweep.config import RunConfig
from framesweep.config.command_line import printed_as_calls
from framesweep.config.composition import CONFIG_FILE
from framesweep.config.composition import load as load_config
from framesweep.data.phone_segments import PhoneSegment
from framesweep.errors import CheckpointError, ConfigError, DataError, TrackingError
from framesweep.runs.ensembles.predictions import require_model
from framesweep.runs.reporting.history import History, read_history
from framesweep.runs.reporting.run_table import require_outputs
from framesweep.tracking import find_run_directory
from framesweep.tracking.mlflow_import import restored_mlflow

if TYPE_CHECKING:
    import pandas as pd

    from framesweep.evaluation.labeller import Labeller
    from framesweep.evaluation.predictor import Predictor


class Result:
    """A run: its results, and the network of its best epoch.

    Args:
        directory: The directory of the run.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory).absolute()
        """The directory with the run's config, log, checkpoints, report and model."""

    @cached_property
    def run_id(self) -> str | None:
        """The run's id in MLflow, which every command accepts; None with `tracking=none`."""
        return read_run_file(self.directory / TRACKING_FOLDER).get("run_id")

    @cached_property
    def config(self) -> RunConfig:
        """The complete config of the run."""
        path = self.directory / CONFIG_FILE
        require_directory(self.directory)
        if not path.exists():
            raise CheckpointError(path, "must exist; it is written when a run begins")
        return load_config(path.read_text(encoding="utf-8"), [], path)

    @cached_property
    def _history(self) -> History:
        return read_history(self.directory)

    @property
    def best_epoch(self) -> int:
        """The epoch with the best objective, whose network is kept."""
        return self._history.best_epoch

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the best epoch by name, as `metrics["dev/accuracy"]`."""
        if not self.best_epoch:
            raise CheckpointError(self.directory, "must have finished an epoch")
        return dict(self._history.epochs[self.best_epoch - 1])

    @cached_property
    def history(self) -> pd.DataFrame:
        """The metrics of all epochs: one row per epoch, one column per metric."""
        import pandas as pd

        index = pd.RangeIndex(1, len(self._history.epochs) + 1, name="epoch")
        return pd.DataFrame([dict(epoch) for epoch in self._history.epochs], index=index)

    @property
    def phones(self) -> tuple[str, ...]:
        """The names of the C phones, in the order of the columns of `posteriors`."""
        with isolated_torch():
            return self._predictor.phones.names

    def predict(self, features: ArrayLike) -> NDArray[np.str_]:
        """Return the (T,) names of the most probable phones of an utterance.

        Args:
            features: The (T, D) features of the utterance's frames, as in the corpus: they are
                normalized here.

        Raises:
            FramesweepError: if the run has no network yet, or the features another shape.
        """
        with isolated_torch():
            ids = self._predictor.predict(_read_array(features))
        names: NDArray[np.str_] = np.asarray(self.phones)[ids]
        return names

    def posteriors(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return the (T, C) probabilities of the phones; see `predict` for the arguments."""
        with isolated_torch():
            posteriors: NDArray[np.float32] = (
                self._predictor.log_posteriors(_read_array(features)).exp().numpy()
            )
        return posteriors

    def label(
        self,
        utterance: Path | ArrayLike,
        sample_rate: int | None = None,
        *,
        smooth: bool = False,
    ) -> list[PhoneSegment]:
        """Return the phones of a recording in order of time, with start, end and posterior.

        Args:
            utterance: The path of an audio file; or, with `sample_rate`, the (N,) or
                (N, channels) samples of a recording; or (T, D) features.
            sample_rate: Sample rate of the samples, in Hz.
            smooth: Whether to smooth by Viterbi's algorithm, with the strength that was tuned
                when the run was trained.

        Raises:
            FramesweepError: if the recording cannot be read, or if it is audio and the run was
                trained on files of features.
        """
        from framesweep.evaluation.labeller import Labeller

        given = utterance if isinstance(utterance, str | Path) else _read_array(utterance)
        with isolated_torch():
            labeller = self._labellers.get(smooth)
            if labeller is None:
                labeller = Labeller.load(self._require_model(), smooth=smooth)
                self._labellers[smooth] = labeller
            return labeller.label(given, sample_rate)

    @cached_property
    def _labellers(self) -> dict[bool, Labeller]:
        return {}

    @cached_property
    def _predictor(self) -> Predictor:
        from framesweep.evaluation.predictor import Predictor

        return Predictor.load(self._require_model())

    def _require_model(self) -> Path:
        with printed_as_calls():
            return require_model(self.directory)

    def __repr__(self) -> str:
        name = self.run_id or self.directory.name
        if not self.directory.is_dir():
            return f"Result({name}, whose folder is gone)"
        try:
            accuracy = self.metrics["dev/accuracy"]
        except CheckpointError:
            return f"Result({name}, no epoch finished)"
        return f"Result({name}, dev/accuracy {accuracy:.4f} in epoch {self.best_epoch})"


def _read_array(utterance: object) -> NDArray[Any]:
    """Return what a user gave as an utterance, as a list or a tensor, as an array.

    Raises:
        DataError: if it is no array, as a list of several utterances or a path.
    """
    if isinstance(utterance, str | Path):
        rule = "must be an array of shape (T, D)"
        fix = "Call label for a recording."
        raise DataError("utterance", rule, found=str(utterance), fix=fix)
    if isinstance(utterance, torch.Tensor):
        tensor = utterance.detach().cpu()
        # NumPy has no bfloat16.
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    try:
        return np.asarray(utterance)
    except (ValueError, TypeError):
        rule = "must be one array of shape (T, D)"
        raise DataError("utterance", rule, fix="Call it once for each utterance.") from None


def load(
    run: str | Path | Result, *, outputs: str | Path | None = None, uri: str | None = None
) -> Result:
    """Return a run that was trained earlier, here or by a command.

    Args:
        run: The run's id or the beginning of it, its name, its directory, `last` or `best`; or
            a result, which is read again.
        outputs: The directory of all runs; None for FRAMESWEEP_OUTPUTS, or else `outputs`.
        uri: The tracking URI; None for FRAMESWEEP_TRACKING_URI, or else the database in
            `outputs`.

    Raises:
        FramesweepError: if there is no such run.
    """
    folder = require_outputs(outputs)
    if uri is not None and not isinstance(uri, str):
        raise ConfigError("uri", "must be a text", found=uri)
    try:
        with restored_mlflow(), printed_as_calls():
            name = run.directory if isinstance(run, Result) else run
            directory = find_run_directory(str(name), uri, folder)
    except TrackingError:
        if folder.is_dir():
            raise
        rule, fix = f"must be in {folder}, which does not exist", "Pass outputs=FOLDER."
        raise TrackingError("run", rule, found=str(run), fix=fix) from None
    require_run_directory(directory)
    return Result(directory)
