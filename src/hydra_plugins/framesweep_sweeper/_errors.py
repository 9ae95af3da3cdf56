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
