"""Builds the reader of the format that a `data` config describes."""

from framesweep.config import DataConfig
from framesweep.config.registry import builder_of
from framesweep.data.corpus import Corpus
from framesweep.errors import DataError


def build_corpus(config: DataConfig) -> Corpus:
    """Return the reader that the schema of `config` names in `built_by`.

    Its module is imported only now, because a format may need packages that no other needs.

    Raises:
        DataError: a file of the corpus is missing or unreadable.
    """
    try:
        corpus: Corpus = builder_of(config)(config)
    except OSError as error:
        where = error.filename or "data.root"
        raise DataError(where, f"must be readable ({error.strerror})") from None
    return corpus
