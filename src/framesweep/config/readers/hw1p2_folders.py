"""Options of HW1P2's folders."""

from dataclasses import dataclass

from framesweep.config.data import DataConfig
from framesweep.config.registry import option


@option("data", "hw1p2_folders")
@dataclass(kw_only=True, slots=True)
class Hw1p2FoldersConfig(DataConfig):
    """CMU 11-785 HW1P2 since S22: one folder a partition, one file an utterance."""

    train_partition: str = "train-clean-100"
    """Folder of the train split, under root."""
    dev_partition: str = "dev-clean"
    """Folder of the dev split, under root."""
    test_partition: str = "test-clean"
    """Folder of the test split, under root; it may lack transcripts or be absent."""
    test_order: str = "test_order.csv"
    """File under root that orders the test utterances, where present."""
    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt, else the phones seen, sorted."""
