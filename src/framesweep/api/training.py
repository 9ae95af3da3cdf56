"""Trains a run from Python."""

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from framesweep.api.hydra_internals import Hydra, create_config_search_path
from framesweep.api.overrides import read_overrides, require_single_values
from framesweep.api.result import Result
from framesweep.api.session import attached, session
from framesweep.api.stopping import Continuation
from framesweep.catalog.directories import require_directory
from framesweep.config.groups import find_conf
from framesweep.runs.job import run_job
from framesweep.runs.reporting.run_table import outputs_folder

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def train(overrides: Sequence[str] = ()) -> Result:
    """Train a network, as `framesweep train` does, and return the run.

    Args:
        overrides: Options and keys, as on the command line: `["model=wide", "train.epochs=3"]`.
            `["resume=RUN_ID"]` resumes a run that was stopped.

    Raises:
        FramesweepError: if an override, the data or a checkpoint is not valid, or the run ends
            early. The message is the line that the command line prints.
        KeyboardInterrupt: after Ctrl-C. The run's checkpoint is saved; the message has the call
            that resumes it.
    """
    texts = read_overrides(overrides)
    with session("framesweep train", texts) as continuation:
        if any(text.startswith("resume=") for text in texts):
            return _resume(texts, continuation)
        require_single_values(texts)
        job = LoggedJob(continuation)
        build_hydra().run("config", job, texts, with_log_configuration=False)
        return job.result()


def build_hydra() -> Hydra:
    """Return Hydra with the configs of this package, as its command line has it."""
    search_path = create_config_search_path(str(find_conf()))
    return Hydra.create_main_hydra2("train", search_path)


class LoggedJob:
    """A job in this process, with a log file in its directory as on the command line.

    Hydra prints the errors of a job, so they are kept here instead and raised by `result`.

    Args:
        continuation: What learns the directory of the run.
    """

    def __init__(self, continuation: Continuation) -> None:
        self._error: Exception | None = None
        self._continuation = continuation

    def __call__(self, config: DictConfig) -> float | list[float] | None:
        """Run the job; return None if it failed."""
        directory = Path(HydraConfig.get().runtime.output_dir)
        self._continuation.directory = directory
        with attached(log_file(directory)):
            try:
                return run_job(config)
            except Exception as error:
                self._error = error
                return None

    def result(self) -> Result:
        """Return the run; raise what the job raised."""
        if self._error is not None:
            raise self._error
        assert self._continuation.directory is not None
        return Result(self._continuation.directory)


def log_file(directory: Path) -> logging.Handler:
    """Return a handler that appends to the log of the run in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(directory / "train.log", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    return handler


def _resume(overrides: Sequence[str], continuation: Continuation) -> Result:
    from framesweep.runs.run import resume
    from framesweep.tracking import find_run_directory

    values = dict(text.partition("=")[::2] for text in overrides)
    outputs, uri = outputs_folder(values.get("outputs")), values.get("tracking.uri")
    directory = find_run_directory(values["resume"], uri, outputs)
    require_directory(directory)  # which the log file would create
    continuation.directory = directory
    others = [text for text in overrides if not text.startswith("resume=")]
    with attached(log_file(directory)):
        resume(str(directory), others, uri, outputs)
    return Result(directory)
