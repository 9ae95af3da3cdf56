"""From a data config to the reader of its format."""

from importlib import import_module

from framesweep.config import (
    DataConfig,
    DemoConfig,
    Hw1p2Config,
    Hw1p2FoldersConfig,
    KaldiConfig,
    SegmentsConfig,
)
from framesweep.data.corpus import Corpus
from framesweep.errors import DataError

READERS: dict[type[DataConfig], tuple[str, str]] = {
    DemoConfig: ("framesweep.data.readers.demo.corpus", "DemoCorpus"),
    Hw1p2Config: ("framesweep.data.readers.hw1p2", "Hw1p2Corpus"),
    Hw1p2FoldersConfig: ("framesweep.data.readers.hw1p2_folders", "FoldersCorpus"),
    KaldiConfig: ("framesweep.data.readers.kaldi", "KaldiCorpus"),
    SegmentsConfig: ("framesweep.data.readers.segments", "SegmentsCorpus"),
}
"""Where each format's reader is; imported when needed, for what a format alone needs."""


def build_corpus(config: DataConfig) -> Corpus:
    """The reader for this config's type; raises DataError where it sees at once it can't."""
    module, name = READERS[type(config)]
    reader = getattr(import_module(module), name)
    try:
        corpus: Corpus = reader(config)
    except OSError as error:
        where = error.filename or "data.root"
        raise DataError(where, f"must be readable ({error.strerror})") from None
    return corpus
