"""Errors that the sweeper raises."""


class SweepError(Exception):
    """A setting of the sweep is wrong, and the user can correct it.

    The sweeper prints the message without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class FailedSweepError(SweepError):
    """Too many trials failed, or no trial was completed."""

    exit_code = 1


class SupersededError(Exception):
    """Another worker has taken over the trial, because this one was considered dead.

    The job has to stop: anything it still recorded would be mixed with its successor's results.
    """


class StoppedJobError(Exception):
    """A job has ended by KeyboardInterrupt or SystemExit, and its outcome is recorded.

    It replaces them, because Hydra attaches the job's result to them, which refers to them in
    turn. A launcher that pickles the error of a job, as joblib's does, would not get out of
    this circle for minutes.
    """
