"""Options of HW1P2's object arrays."""

from dataclasses import dataclass

from framesweep.config.data import DataConfig
from framesweep.config.registry import option


@option("data", "hw1p2")
@dataclass(kw_only=True, slots=True)
class Hw1p2Config(DataConfig):
    """CMU 11-785 HW1P2 until F21: one object array a split."""

    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt where it exists."""
