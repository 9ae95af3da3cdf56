"""Options of HW1P2 since Spring 2022: folders of arrays."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.data import StoredFeaturesConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option(
    "data", "hw1p2_folders", built_by="framesweep.data.readers.hw1p2_folders:Hw1p2FoldersCorpus"
)
@dataclass(kw_only=True, slots=True)
class Hw1p2FoldersConfig(StoredFeaturesConfig):
    """CMU 11-785 HW1P2 since Spring 2022: one folder per partition, one file per utterance."""

    train_partition: str = "train-clean-100"
    """Folder of the train split in root."""
    dev_partition: str = "dev-clean"
    """Folder of the dev split in root."""
    test_partition: str = "test-clean"
    """Folder of the test split in root. It may lack transcripts or, under its default name,
    be absent."""
    test_order: str = "test_order.csv"
    """File in root that lists the test utterances in order, if it exists."""
    phones: str | None = None
    """File of phones, each line `PHONE` or `PHONE id`. null takes phonemes.txt in root or, if
    there is none, the order of phone_order."""
    phone_order: Literal["course", "alphabetical"] = setting("course", earlier="alphabetical")
    """Numbers of the phones without a file of phones. course numbers them as CMU 11-785 does:
    silence, then all 39 phones of ARPAbet, whether or not they occur. alphabetical numbers the
    phones of the transcripts in alphabetical order, as does course where they are others."""
