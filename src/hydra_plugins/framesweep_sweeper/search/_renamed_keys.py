"""Keys of the search space that the application has renamed since a study was begun.

A study's trials store their parameters under the names of its time, and a sampler reads them
under these names alone. So a study keeps the names that it was begun with, whichever of the two
the command uses, and a new one takes the present names.
"""

import re
from collections.abc import Mapping
from typing import Any

from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space


def read_spaces(
    params: Mapping[str, Any], arguments: list[str], renamed: Mapping[str, str]
) -> list[SearchSpace]:
    """Return the search space under the present names, then under the earlier ones.

    Args:
        renamed: earlier name -> present name. Where none of them occurs, there is one space.

    Raises:
        SweepError: as `read_space`.
    """
    earlier_names = {present: earlier for earlier, present in renamed.items()}
    present, earlier = (
        read_space(
            {rename_key(key, names): _rename_in(entry, names) for key, entry in params.items()},
            [rename_key(argument, names) for argument in arguments],
        )
        for names in (renamed, earlier_names)
    )
    return [present] if earlier == present else [present, earlier]


def rename_key(override: str, names: Mapping[str, str]) -> str:
    """Return an override, such as `key`, `+key=value` or `~key`, under its key's new name."""
    match = re.fullmatch(r"([+~]*)([^=@]*)(.*)", override, re.DOTALL)
    assert match is not None  # every string has this form
    prefix, key, rest = match.groups()
    return prefix + names.get(key, key) + rest


def _rename_in(entry: Any, names: Mapping[str, str]) -> Any:
    """Return an entry of `hydra.sweeper.params` with the keys of its conditions renamed."""
    if not isinstance(entry, Mapping) or "when" not in entry:
        return entry
    when = entry["when"]
    clauses = [when] if isinstance(when, str) else when
    return {**entry, "when": [rename_key(str(clause), names) for clause in clauses]}
