"""The metric under which the best value of an objective is tracked."""

BEST_PREFIX = "best/"


def name_best(objective: str) -> str:
    """Return the name of an objective's best value, as `best/accuracy` for `dev/accuracy`."""
    return BEST_PREFIX + (objective.partition("/")[2] or objective)
