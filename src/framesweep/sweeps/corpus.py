"""The corpus that all runs of a sweep share, prepared before the first of them starts.

Each run would prepare it, too. But the others would wait meanwhile, and show nothing; and where
it cannot be read, each run would fail with the same line, and be recorded.
"""

from collections.abc import Iterable

from framesweep.config import RunConfig
from framesweep.sweeps.context import to_bare_key

INDEPENDENT_KEYS = {"data.context", "data.share", "data.share_growth"}
"""Keys of `data` that do not change what is prepared."""

INDEPENDENT_GROUPS = {"augment", "hardware", "model", "optim", "seed", "tracking", "train"}
"""What else does not. A recipe, an ablation or a group of the user's own may set any key."""


def prepare_shared_corpus(config: RunConfig, swept: Iterable[str]) -> None:
    """Prepare the corpus, unless the sweep may vary it.

    Args:
        config: what the runs have in common.
        swept: the keys that the sweep varies, with or without prefixes such as `+`.

    Raises:
        ConfigError: a value is beyond the range of data.dtype.
        DataError: the corpus is missing, or breaks a rule.
    """
    if not all(_is_independent(to_bare_key(key)) for key in swept):
        return
    # numpy, and packages that read sound files, take a moment to import.
    from framesweep.data.store.run_store import open_frame_store

    open_frame_store(config)


def _is_independent(key: str) -> bool:
    return key in INDEPENDENT_KEYS or key.partition(".")[0] in INDEPENDENT_GROUPS
