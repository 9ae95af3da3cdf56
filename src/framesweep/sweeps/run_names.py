"""Names runs by what distinguishes them from the default run, and their best values."""

from collections.abc import Iterable, Mapping, Sequence

from framesweep.config.effects import effect_of
from framesweep.credentials import printable, scrub

BEST_PREFIX = "best/"
"""Prefix of the metrics with the best values of a run's objectives."""

DEFAULT_NAME = "defaults"
"""Name of a run without overrides."""

MAX_NAME, MAX_VALUE = 100, 40
"""Longest name of a run and longest value in it, in characters."""

UNNAMED_GROUPS = ("hardware", "tracking")
"""Groups that change where a run is trained or recorded, and not what it is."""


def name_by_overrides(overrides: Sequence[str]) -> str:
    """Return a name such as `model=wide data.context=15` for a run with these overrides.

    Overrides that cannot change a result, such as those of the tracking URI, are left out.
    """
    words = []
    for override in overrides:
        key, has_value, value = override.lstrip("+").partition("=")
        bare_key = key.lstrip("~").partition("@")[0]
        if bare_key.partition(".")[0] in (*UNNAMED_GROUPS, "hydra"):
            continue
        if effect_of(bare_key) != "nothing":
            words.append(f"{key.partition('@')[0]}={value}" if has_value else key)
    return join_words(words) or DEFAULT_NAME


def name_by_values(values: Mapping[str, object], prefix: str = "") -> str:
    """Return `prefix` and each value after the last part of its key, as in `context=15`."""
    words = (
        f"{key.rpartition('.')[2]}={value:.4g}"
        if isinstance(value, float)
        else f"{key.rpartition('.')[2]}={value}"
        for key, value in values.items()
    )
    return prefix + join_words(words, MAX_NAME - len(prefix))


def join_words(words: Iterable[str], max_length: int = MAX_NAME) -> str:
    """Return the words separated by spaces, without credentials and control characters.

    A long word is cut. Words that do not fit any more are counted at the end, as in `+3 more`.
    """
    texts = [_clean(word) for word in words]
    joined = " ".join(texts)
    num_shown = len(texts)
    while len(joined) > max_length and num_shown > 1:
        num_shown -= 1
        joined = " ".join([*texts[:num_shown], f"+{len(texts) - num_shown} more"])
    return joined


def _clean(word: str) -> str:
    text = printable(scrub(word)).replace("\n", " ").replace("\t", " ")
    longest = MAX_VALUE + len(text.partition("=")[0])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def name_best(objective: str) -> str:
    """Return the name of an objective's best value, as `best/accuracy` for `dev/accuracy`."""
    return BEST_PREFIX + (objective.partition("/")[2] or objective)
