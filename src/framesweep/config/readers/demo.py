"""The demo corpus's options."""

from dataclasses import dataclass

from framesweep.config.data import DataConfig
from framesweep.config.registry import option


@option("data", "demo")
@dataclass(kw_only=True, slots=True)
class DemoConfig(DataConfig):
    """Sentences spoken by eSpeak NG: no download, exact boundaries."""

    train_minutes: float = 20.0
    """Speech to make for train, in minutes."""
    dev_minutes: float = 3.0
    """Speech to make for dev, in minutes."""
    test_minutes: float = 3.0
    """Speech to make for test, in minutes."""
    num_mel_bins: int = 40
    """Log-mel bins a frame."""
    min_snr: float = 10.0
    """Loudest noise added, as signal-to-noise ratio in dB."""
    max_snr: float = 30.0
    """Softest noise added, as signal-to-noise ratio in dB."""
    seed: int = 0
    """Chooses sentences, voices and noise; not the training seed."""
