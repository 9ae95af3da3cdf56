"""Options of the phone data of NTU's machine learning course: libriphone and timit_11."""

from dataclasses import dataclass

from framesweep.config.data import StoredFeaturesConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@dataclass(kw_only=True, slots=True)
class NtuConfig(StoredFeaturesConfig):
    """What both forms of the course's data have in common."""

    phones: str | None = None
    """File of phones, each line `PHONE` or `PHONE id`. null numbers the classes."""
    dev_share: float = setting(0.1, unit="share")
    """Share of the utterances of train that form dev, at least 0 and below 1. They are spread
    evenly."""


@option("data", "libriphone", built_by="framesweep.data.readers.libriphone:LibriphoneCorpus")
@dataclass(kw_only=True, slots=True)
class LibriphoneConfig(NtuConfig):
    """NTU ML 2022 and 2023: a tensor per utterance, and text files of labels and splits."""


@option("data", "timit_11", built_by="framesweep.data.readers.timit_11:Timit11Corpus")
@dataclass(kw_only=True, slots=True)
class Timit11Config(NtuConfig):
    """NTU ML 2021: windows of 11 frames of TIMIT, from which utterances are put together."""
