"""Options of the demo corpus."""

from dataclasses import dataclass

from framesweep.config.data import DataConfig
from framesweep.config.features import FeatureOptions, Featurization
from framesweep.config.registry import option
from framesweep.config.setting import setting
from framesweep.errors import ConfigError

SAMPLE_RATE = 16000
"""Sample rate of the synthesized speech, in Hz."""


@option("data", "demo", built_by="framesweep.data.readers.demo.corpus:DemoCorpus")
@dataclass(kw_only=True, slots=True)
class DemoConfig(DataConfig):
    """Sentences synthesized by eSpeak NG: nothing to download, exact phone boundaries."""

    train_minutes: float = setting(20.0, unit="minutes")
    """Duration of the train split."""
    dev_minutes: float = setting(3.0, unit="minutes")
    """Duration of the dev split."""
    test_minutes: float = setting(3.0, unit="minutes")
    """Duration of the test split."""
    num_mel_bins: int = setting(40, unit="mel bins")
    """Size of a frame: its log-mel bins."""
    min_snr: float = setting(10.0, unit="dB")
    """Lowest signal-to-noise ratio, that is, the loudest noise added to the speech."""
    max_snr: float = setting(30.0, unit="dB")
    """Highest signal-to-noise ratio, that is, the softest noise added to the speech."""
    seed: int = 0
    """Seed that chooses sentences, voices and noise. It is independent of the training seed."""

    def __post_init__(self) -> None:
        """Check the rules of all keys."""
        DataConfig.__post_init__(self)
        if self.min_snr > self.max_snr:
            rule = f"must not exceed data.max_snr, {self.max_snr}"
            raise ConfigError("data.min_snr", rule, found=self.min_snr)

    @property
    def featurization(self) -> Featurization:
        """How features are computed from the synthesized speech."""
        return Featurization(SAMPLE_RATE, FeatureOptions(num_mel_bins=self.num_mel_bins))
