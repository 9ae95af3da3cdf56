"""Options of HW1P2 until Fall 2021: object arrays."""

from dataclasses import dataclass

from framesweep.config.data import StoredFeaturesConfig
from framesweep.config.registry import option


@option("data", "hw1p2", built_by="framesweep.data.readers.hw1p2:Hw1p2Corpus")
@dataclass(kw_only=True, slots=True)
class Hw1p2Config(StoredFeaturesConfig):
    """CMU 11-785 HW1P2 until Fall 2021: one object array per split."""

    phones: str | None = None
    """File of phones, each line `PHONE` or `PHONE id`. null takes phonemes.txt in root, if it
    exists."""
