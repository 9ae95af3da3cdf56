"""Keys whose values are paired: the first of one with the first of the other, and so on.

Keys are paired by a tag that begins with `zip`: `a=tag(zip, choice(1, 2))` together with
`b=tag(zip, choice(x, y))` stands for two points, (1, x) and (2, y), instead of four. Hydra's
grammar has tags, so the same text works in a search and in a grid.

This module imports no Optuna, so that a grid can use it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.override_parser.types import Override, Sweep, Transformer

from hydra_plugins.framesweep_sweeper._errors import SweepError

ZIP_TAG = re.compile(r"zip\w*")
LOG_TAG = "log"
"""The tag with which hydra-optuna-sweeper searches a key on a logarithmic scale."""


def read_zip(override: Override) -> str:
    """Return the tag by which the override's key is paired with others; "" if it is not.

    Raises:
        SweepError: it has several such tags, or a continuous sweep.
    """
    sweep = override.value()
    tags = sorted(sweep.tags) if isinstance(sweep, Sweep) else []
    zips = [tag for tag in tags if ZIP_TAG.fullmatch(tag)]
    if not zips:
        return ""
    key = override.get_key_element()
    if len(zips) > 1:
        raise SweepError(
            f"{key}: must have one tag that begins with zip; found {', '.join(zips)}"
        )
    if not override.is_discrete_sweep():
        raise SweepError(
            f"{key}: a paired key needs choice(...) or range(...); found {override.input_line}"
        )
    return zips[0]


def require_known_tags(override: Override) -> None:
    """Raise SweepError for a tag without a meaning, which would be ignored."""
    sweep = override.value()
    tags = sweep.tags if isinstance(sweep, Sweep) else set()
    unknown = sorted(tag for tag in tags if tag != LOG_TAG and not ZIP_TAG.fullmatch(tag))
    if unknown:
        raise SweepError(
            f"{override.get_key_element()}: a tag must be {LOG_TAG}, or begin with zip; found "
            f"{unknown[0]} in {override.input_line}"
        )


def list_paired_values(override: Override) -> list[Any]:
    """Return the values of a paired key in the order in which they are typed."""
    return list(override.sweep_iterator(transformer=Transformer.encode))


def require_pairs(zips: Mapping[str, Mapping[str, int]]) -> None:
    """Check that paired keys are at least two, with equally many values.

    Args:
        zips: tag -> key -> number of values.

    Raises:
        SweepError: a key is alone, or the numbers differ.
    """
    for tag, counts in zips.items():
        found = _describe_counts(counts.items())
        if len(counts) < 2:
            raise SweepError(
                f"tag({tag}, ...): must pair two or more keys; found {found}. "
                f"Give another key the same tag, or remove it"
            )
        if len(set(counts.values())) > 1:
            raise SweepError(
                f"tag({tag}, ...): paired keys must have equally many values; found {found}"
            )


def _describe_counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{key} with {count} value{'s' * (count != 1)}" for key, count in counts)
