"""Options of Kaldi archives."""

from dataclasses import dataclass

from framesweep.config.data import DataConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("data", "kaldi")
@dataclass(kw_only=True, slots=True)
class KaldiConfig(DataConfig):
    """Kaldi feature archives and frame alignments, a folder a split."""

    train: str = "train"
    """Folder of the train split, under root."""
    dev: str = "dev"
    """Folder of the dev split, under root."""
    test: str | None = "test"
    """Folder of the test split, under root; it may lack alignments, or be absent."""
    features: str = "feats.scp"
    """Index of the features, in each split's folder."""
    alignments: str = "ali.scp"
    """Frame labels in each split's folder: an index, or a text of `UTTERANCE id id ...`."""
    phones: str | None = None
    """File of `NAME id` lines under root, as phones.txt; null numbers the classes."""
    max_missing: float = setting(0.05, affects="nothing")
    """Largest share of utterances, 0 to 1, that may lack features or alignments, or differ in
    their numbers of frames; they are left out."""
