"""Errors of the sweeper."""


class SweepError(Exception):
    """A setting of the sweep the user can mend; shown as it is, without a traceback."""

    exit_code = 2


class FailedSweepError(SweepError):
    """Too many trials failed, or none could be completed."""

    exit_code = 1


class SupersededError(Exception):
    """The trial was taken over by another worker while this one was thought dead."""
