"""The frame store of a run: where its config says that it is, prepared if it is not there."""

from pathlib import Path

from framesweep.config import RunConfig
from framesweep.data.readers.registry import build_corpus
from framesweep.data.store.frame_store import FrameStore, open_store


def open_frame_store(config: RunConfig) -> FrameStore:
    """Return the frame store of the corpus, which is prepared first if necessary.

    Raises:
        ConfigError: a value is beyond the range of data.dtype.
        DataError: the corpus is missing, or breaks a rule.
    """
    return open_store(config.data, build_corpus(config.data), find_cache(config))


def find_cache(config: RunConfig) -> Path:
    """Return the directory of prepared corpora."""
    return Path(config.data.cache or Path(config.outputs) / "cache")
