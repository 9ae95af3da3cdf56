"""Options of Kaldi archives."""

from dataclasses import dataclass

from framesweep.config.data import StoredFeaturesConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("data", "kaldi", built_by="framesweep.data.readers.kaldi:KaldiCorpus")
@dataclass(kw_only=True, slots=True)
class KaldiConfig(StoredFeaturesConfig):
    """Kaldi feature archives and frame alignments, one folder per split."""

    train: str = "train"
    """Folder of the train split in root."""
    dev: str = "dev"
    """Folder of the dev split in root."""
    test: str | None = "test"
    """Folder of the test split in root. It may lack alignments or be absent."""
    features: str = "feats.scp"
    """Index of the features in the folder of each split."""
    alignments: str = "ali.scp"
    """Frame labels in the folder of each split: an index, or a text file of lines `UTTERANCE id
    id ...`."""
    phones: str | None = None
    """File of phones in root, as phones.txt, each line `PHONE` or `PHONE id`. null numbers the
    classes."""
    max_missing: float = setting(0.05, affects="nothing", unit="share")
    """Up to this share of a split's utterances, from 0 to 1, may have no features, no
    alignment, or different numbers of frames in the two. These utterances are left out. A
    larger share is an error."""

    @property
    def path_keys(self) -> tuple[str, ...]:
        """The keys with paths that start at the working directory; phones starts at root."""
        return ("root", "cache")
