"""Sound files of any format, rate and number of channels as mono samples at one rate."""

import math
from pathlib import Path

import numpy as np
import soundfile

from framesweep.data.corpus import Array
from framesweep.errors import DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".sph", ".aiff", ".aif", ".au", ".mp3", ".opus")


def sound_info(path: Path) -> tuple[int, float]:
    """The sample rate in Hz and the length in seconds that a sound file's header gives.

    Raises:
        DataError: the file is missing or is no sound file.
    """
    try:
        info = soundfile.info(path)
    except (OSError, RuntimeError) as error:
        raise _not_sound(path, error) from None
    return info.samplerate, info.frames / info.samplerate


def read_sound(path: Path, sample_rate: int) -> tuple[Array, int]:
    """Samples of a sound file as (N,) float32 from -1 to 1, and its own rate in Hz.

    Channels are averaged. Another rate than `sample_rate` is changed to it by a polyphase
    low-pass filter, which removes what the new rate cannot hold.

    Raises:
        DataError: the file is missing, is no sound file, or holds no samples.
    """
    try:
        samples, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise _not_sound(path, error) from None
    if len(samples) == 0:
        raise DataError(path, "must hold at least one sample")
    mono = samples.mean(axis=1, dtype=np.float32)
    if own_rate == sample_rate:
        return mono, own_rate
    return np.asarray(resampled(mono, own_rate, sample_rate), dtype=np.float32), own_rate


def resampled(samples: Array, own_rate: int, rate: int) -> Array:
    """(N,) samples at `own_rate` Hz to `rate` Hz, by a polyphase low-pass filter.

    The filter removes what the new rate cannot hold. Keeps float32 as float32.
    """
    from scipy.signal import resample_poly  # slow to import, and a prepared corpus needs none

    common = math.gcd(own_rate, rate)
    return np.asarray(resample_poly(samples, rate // common, own_rate // common))


def _not_sound(path: Path, error: Exception) -> DataError:
    if not path.exists():
        return DataError(path, "must exist")
    with path.open("rb") as handle:
        packed = b"shorten" in handle.read(1024)
    fix = "It is packed with shorten: unpack it with sph2pipe." if packed else ""
    return DataError(path, f"must be a sound file that libsndfile reads ({error})", fix=fix)
