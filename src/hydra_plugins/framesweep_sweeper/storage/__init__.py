"""Access to a study's storage from many processes: connections, retries, locks, heartbeats."""

from hydra_plugins.framesweep_sweeper.storage._timeouts import add_timeouts, limit_sessions

__all__ = ["add_timeouts", "limit_sessions"]
