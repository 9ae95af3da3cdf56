"""Declares a config key together with its unit and with what a change of it affects."""

from copy import copy
from dataclasses import field
from functools import partial
from typing import Literal, TypeVar

T = TypeVar("T")

Effect = Literal["result", "end", "rounding", "nothing"]
"""What a change of a key affects.

result: the trained weights, from the first step on.
end: only when training ends, or what is measured then; the steps before stay the same.
rounding: the weights up to rounding errors, as the device or the number of threads does.
nothing: neither weights nor metrics, as the folder of the corpus or the name of the run.

This decides whether a key may change when a run is resumed (all but result), and whether it is
part of a checkpoint's identity (result), of a study's (result and end), and of the config hash
that is tracked (all but nothing).
"""

AFFECTS, UNIT, EARLIER, ADDED = "affects", "unit", "earlier", "added"
"""Keys of a field's metadata."""


def setting(
    default: T,
    *,
    affects: Effect = "result",
    unit: str = "",
    earlier: T | None = None,
    added: bool = False,
) -> T:
    """Declare a field of a schema with its default, its unit and what it affects.

    A field affects the result unless it is declared otherwise, which is the safe assumption:
    such a key can't change when a run is resumed or a study is continued.

    Args:
        default: The field's value if nobody sets it; each config gets a copy of a list or dict.
        affects: What a change of the value affects; see `Effect`.
        unit: What a number counts or measures, for the documentation; "" for no unit.
        earlier: The value of saved configs that lack the key, if it is not the default: what
            the versions before the key did.
        added: Whether the key is younger than version 0.1 and its default is what versions
            without it did. Then the default is part of no identity, so that their runs and
            prepared corpora can still be used.
    """
    metadata: dict[str, object] = {AFFECTS: affects, UNIT: unit, ADDED: added}
    if earlier is not None:
        metadata[EARLIER] = earlier
    # Type checkers see the value that the field will hold, as they do for `dataclasses.field`.
    if isinstance(default, list | dict):
        return field(default_factory=partial(copy, default), metadata=metadata)
    return field(default=default, metadata=metadata)
