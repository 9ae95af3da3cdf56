"""What the schemas of all corpora have in common."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.features import Featurization
from framesweep.config.key_ranges import require_group_in_ranges
from framesweep.config.setting import setting

STANDARD_FRAME_SHIFT_MS = 10.0
"""The frame shift of speech features unless a corpus says otherwise, in milliseconds."""


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """The keys of every corpus: its location, the context window and the normalization."""

    root: str | None = setting(None, affects="nothing")
    """Directory of the corpus. The demo corpus needs none."""
    context: int = setting(25, unit="frames")
    """Context on each side of the center frame, from 0 to 50. A window has 2*context+1
    frames."""
    padding: Literal["zero", "replicate", "cross"] = "zero"
    """What a window contains beyond the edge of its utterance: zeros, copies of the edge frame,
    or frames of the neighboring utterance."""
    normalize: Literal["none", "utterance", "speaker", "sliding", "global"] = "utterance"
    """Frames whose mean and variance normalize each feature: those of the utterance, of all
    utterances of the same speaker in the split, of a sliding window around the frame, or of the
    train split. none leaves the features unchanged."""
    normalize_frames: int = setting(300, unit="frames")
    """Length of the sliding window of normalize=sliding."""
    dtype: Literal["float32", "float16"] = "float32"
    """Data type of the features in the prepared store. float16 halves its size."""
    max_utterances: int | None = setting(None, unit="utterances")
    """Read only the first utterances of each split, at most this many. null reads all."""
    share: float = setting(1.0, added=True)
    """Share of the training utterances to train on, above 0 and up to 1. The seed chooses them,
    about the same share of each speaker's where speakers are known. Those of a smaller share
    are also in a larger one. dev and test stay complete."""
    share_growth: float = setting(0.0, added=True)
    """Added to data.share after each epoch, until it is 1. With data.share=0.1 and
    data.share_growth=0.1, epoch n trains on n tenths of the utterances."""
    cache: str | None = setting(None, affects="nothing")
    """Directory of prepared stores. null is the directory cache in outputs."""
    verify: bool = setting(False, affects="nothing")
    """Compare all files of the prepared store with their checksums before they are used. false
    compares the files up to 64 MB, and larger ones whose size or modification time has
    changed."""

    @property
    def frame_shift_ms(self) -> float:
        """The frame shift in milliseconds, from which durations that people read are computed.

        It is data.shift_ms, except in the demo corpus, whose shift is the standard one.
        """
        return STANDARD_FRAME_SHIFT_MS

    @property
    def featurization(self) -> Featurization | None:
        """How features are computed from audio; None for a corpus of features."""
        return None

    @property
    def has_stored_features(self) -> bool:
        """Whether the features are of any kind, as data.features=npy reads them."""
        return False

    @property
    def path_keys(self) -> tuple[str, ...]:
        """The keys, where a corpus has them, with paths that start at the working directory."""
        return ("root", "cache", "phones")

    @property
    def share_grows(self) -> bool:
        """Whether epochs train on different shares of the utterances."""
        return self.share < 1 and self.share_growth > 0

    def __post_init__(self) -> None:
        """Check the ranges of the `data` group, and of the keys of the corpus.

        Raises:
            ConfigError: naming the key, its rule, the value found and the fix.
        """
        require_group_in_ranges("data", self)


@dataclass(kw_only=True, slots=True)
class StoredFeaturesConfig(DataConfig):
    """What corpora of stored features have in common: their files do not contain the shift."""

    shift_ms: float = setting(STANDARD_FRAME_SHIFT_MS, unit="ms")
    """Frame shift of the stored features, from which durations and times are computed. No
    weight depends on it, so that it may change when a run is resumed."""

    @property
    def frame_shift_ms(self) -> float:
        """The frame shift in milliseconds."""
        return self.shift_ms
