"""The options of the feature extraction from audio."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from framesweep.config.key_ranges import require_group_in_ranges
from framesweep.config.setting import setting
from framesweep.errors import ConfigError

STORED_FEATURES = ("npy", "pt", "ark")
"""Kinds of features that are read from files, not computed from audio."""


# Without slots: a class cannot inherit from two that have them, and the schemas of corpora
# inherit from DataConfig as well.
@dataclass(kw_only=True)
class FeatureOptions:
    """The keys of every corpus whose features are computed from audio."""

    features: Literal["fbank", "mfcc", "npy", "pt", "ark"] = "fbank"
    """Log-mel filter bank, or mel-frequency cepstral coefficients. npy, pt and ark read
    features that were computed earlier, instead of audio: an array or a tensor per utterance,
    or Kaldi archives. window_ms and shift_ms then describe them, and the other keys do not
    apply."""
    num_mel_bins: int = setting(40, unit="mel bins")
    """Number of mel filters. With features=mfcc the coefficients are computed from them."""
    num_ceps: int = setting(13, unit="coefficients")
    """With features=mfcc, number of cepstral coefficients."""
    window_ms: float = setting(25.0, unit="ms")
    """Duration of the analysis window of a frame."""
    shift_ms: float = setting(10.0, unit="ms")
    """Frame shift: time between the starts of consecutive frames."""
    window_type: Literal["povey", "hamming", "hanning", "rectangular"] = "povey"
    """Window function of the analysis."""
    low_freq: float = setting(20.0, unit="Hz")
    """Lower edge of the first mel filter."""
    high_freq: float = setting(0.0, unit="Hz")
    """Upper edge of the last mel filter. 0 or less is relative to half the sample rate."""
    use_energy: bool = False
    """Add the log energy of the frame: before the mel bins, or instead of cepstrum 0."""
    deltas: int = setting(0, unit="order")
    """Append time derivatives up to this order, from 0 to 2."""

    def __post_init__(self) -> None:
        """Check the ranges of the keys above, and how they fit together.

        Raises:
            ConfigError: naming the key, its rule and the value found.
        """
        require_group_in_ranges("data", self)
        if self.features == "mfcc" and self.num_ceps > self.num_mel_bins:
            rule = "must not exceed num_mel_bins"
            raise ConfigError("data.num_ceps", rule, found=self.num_ceps)

    @property
    def frame_shift_ms(self) -> float:
        """The frame shift in milliseconds; takes precedence over that of `DataConfig`."""
        return self.shift_ms

    @property
    def feature_dim(self) -> int:
        """Number of features per frame."""
        uses_ceps = self.features == "mfcc"
        static = self.num_ceps if uses_ceps else self.num_mel_bins + self.use_energy
        return static * (1 + self.deltas)


@dataclass(frozen=True, slots=True)
class Featurization:
    """How the features of a corpus were computed from audio, so that others can be, too.

    Attributes:
        sample_rate: Sample rate in Hz to which audio is resampled first.
        options: The kind of the features and their parameters.
    """

    sample_rate: int
    options: FeatureOptions

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-serializable values from which `from_dict` makes an equal object."""
        return {"sample_rate": self.sample_rate, **asdict(self.options)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `to_dict` described.

        Raises:
            TypeError, ConfigError: if a value is unknown or invalid.
        """
        options = dict(values)
        return cls(int(options.pop("sample_rate")), FeatureOptions(**options))


def extract_options(config: FeatureOptions) -> FeatureOptions:
    """Return only the feature options of a corpus's config, which inherits them."""
    names = (field.name for field in fields(FeatureOptions))
    return FeatureOptions(**{name: getattr(config, name) for name in names})
