"""Schemas of the corpora."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.setting import setting

MAX_CONTEXT = 50
"""Largest context a frame store is prepared for, in frames a side."""


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """What every corpus has in common."""

    root: str | None = setting(None, affects="nothing")
    """Folder of the corpus; the demo corpus needs none."""
    context: int = 25
    """Frames to each side of the centre frame, 0 to 50; the window has 2*context+1."""
    padding: Literal["zero", "replicate", "cross"] = "zero"
    """Beyond an utterance's edge: zeros, its edge frame, or the neighbouring utterance."""
    normalize: Literal["none", "utterance", "speaker", "sliding", "global"] = "none"
    """Mean and variance per bin: not at all, over each utterance, over all utterances of its
    speaker in the split, over a window around each frame, or over all of train."""
    normalize_frames: int = 300
    """With normalize=sliding: frames in the window."""
    dtype: Literal["float32", "float16"] = "float32"
    """Precision in which prepared features are stored."""
    max_utterances: int | None = None
    """Read only this many utterances of each split, from its start; null for all."""
    cache: str | None = setting(None, affects="nothing")
    """Folder for prepared stores; null for outputs/cache."""
