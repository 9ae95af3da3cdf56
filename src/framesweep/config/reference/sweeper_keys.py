"""Which keys of a search are documented: those that users set."""

from framesweep.config.setting import Effect

SWEEPER = "hydra.sweeper"

SWEEPER_KEYS: dict[str, tuple[str, Effect]] = {
    "n_trials": ("trials", "nothing"),
    "max_hours": ("hours", "nothing"),
    "stop_when": ("", "nothing"),
    "trial_minutes": ("minutes", "nothing"),
    "constraints": ("", "result"),
    "n_jobs": ("workers", "nothing"),
    "jobs_per_device": ("workers", "nothing"),
    "params": ("", "result"),
    "custom_search_space": ("", "result"),
    "storage": ("", "nothing"),
    "study_name": ("", "nothing"),
    "max_failure_rate": ("", "nothing"),
    "repeat_duplicates": ("", "nothing"),
    "heartbeat": ("seconds", "nothing"),
    "stop_seconds": ("seconds", "nothing"),
    "max_history": ("trials", "nothing"),
}
"""Each key's unit and what a change of it affects. conf/sweep/bare.yaml sets the other keys of
the sweeper from keys of framesweep, as `new` from `sweep.new`."""
