"""Which keys there are under `hydra.sweeper`: Hydra lets anybody add others with a `+`."""

import difflib
from collections.abc import Iterable
from dataclasses import fields

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.config import FramesweepSweeperConf

OF_HYDRA = frozenset({"_target_", "defaults"})
"""Keys of the schema that are Hydra's own."""

KNOWN = frozenset(field.name for field in fields(FramesweepSweeperConf)) - OF_HYDRA

FORMER_NAMES = {"search_space": "params"}
"""Keys that hydra-optuna-sweeper had in earlier versions, each with its present name."""


def check_keys(settings: Iterable[str]) -> None:
    """Check that every setting exists; one that does not would have no effect.

    Raises:
        SweepError: a key does not exist.
    """
    for key in settings:
        if key in KNOWN | OF_HYDRA:
            continue
        similar = difflib.get_close_matches(key, sorted(KNOWN), n=1)
        name = FORMER_NAMES.get(key) or (similar[0] if similar else None)
        fix = (
            f"Type hydra.sweeper.{name}" if name else f"The keys are {' '.join(sorted(KNOWN))}"
        )
        raise SweepError(f"hydra.sweeper.{key}: no such key. {fix}")
