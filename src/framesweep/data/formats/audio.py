"""Reads audio files of any format, sample rate and number of channels as mono samples."""

import math
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".sph", ".aiff", ".aif", ".au", ".mp3", ".opus")

UNKNOWN_FORMAT = (None, 1, 4, 18)
"""libsndfile's errors for formats and encodings that it does not know. With others, it knows
the format, but the file is damaged or cut off."""
MAX_HEADER_BYTES = 1024
"""Larger files than this have more than a header."""
LEAVE_OUT = "or leave it out, with data.exclude in a corpus."
STREAMED = 0x7FFF0000
"""Programs that do not know yet how much will follow put this number of bytes, or a larger one,
into a header."""
MP3_HEADER_BYTES = 1 << 20
"""Bytes in which the header of an MP3 file is looked for: it may follow a picture."""
MIN_MISSING_S = 0.05
"""Seconds that must be missing at the end of a file: less than a few frames do not matter."""
_SHORT_CHUNK = re.compile(
    r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be ([1-9]\d*)\)$", re.MULTILINE
)
"""How libsndfile describes samples of which a WAV, AIFF or AU file lacks the end: bytes."""
_SHORT_RF64 = re.compile(r"does not match value from 'ds64' chunk of (\d+)\.")
"""How it gives the number of samples per channel that the header of an RF64 file promises."""
_SPHERE_COUNT = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)
"""The number of samples per channel in the header of a SPHERE file."""
SPHERE_HEADER_BYTES = 1024
"""Bytes of that header in almost all files."""


def read_audio_info(path: Path) -> tuple[int, float]:
    """Return the sample rate in Hz and the duration in seconds from an audio file's header.

    Raises:
        DataError: the file is missing or is not an audio file.
    """
    import soundfile  # a model that labels features need not have it

    try:
        info = soundfile.info(path)
    except (OSError, RuntimeError) as error:
        raise _unreadable(path, error) from None
    return info.samplerate, info.frames / info.samplerate


def read_audio(path: Path, sample_rate: int) -> tuple[Array, int]:
    """Read an audio file, average its channels and resample it to `sample_rate` Hz.

    Returns:
        (N,) float32 samples from -1 to 1, and the file's own sample rate in Hz.

    Raises:
        DataError: the file is missing, is not an audio file, has no samples, or has one that is
            not a finite number.
    """
    import soundfile

    try:
        samples, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise _unreadable(path, error) from None
    if len(samples) == 0:
        fix = f"Copy it again, {LEAVE_OUT}"
        if path.stat().st_size > MAX_HEADER_BYTES:
            fix = "If it has audio, `sox --ignore-length IN.wav OUT.wav` writes another header."
        found = "a header of 0 samples"
        raise DataError(path, "must contain at least one sample", found=found, fix=fix)
    mono = samples.mean(axis=1, dtype=np.float32)
    # Features would hide such a sample: the floor of their logarithm replaces it by a number.
    if not np.isfinite(mono).all():
        first = int(np.argmin(np.isfinite(mono)))
        raise DataError(
            path,
            "samples must be finite",
            found=f"{mono[first]} at {first / own_rate:.3f} s",
            fix=f"Repair the recording, {LEAVE_OUT}",
        )
    if own_rate == sample_rate:
        return mono, own_rate
    return np.asarray(resample(mono, own_rate, sample_rate), dtype=np.float32), own_rate


def find_truncation(path: Path) -> str:
    """Describe how much of an audio file is missing, as after an interrupted copy; "" if none.

    Headers of WAV, RF64, AIFF, AU, SPHERE and MP3 say how much must follow, and an Ogg stream
    ends with a mark.
    """
    import soundfile

    try:
        info = soundfile.info(path, verbose=True)
        present, promised = info.frames, _read_promise(path, info)
        if info.format == "MP3" and _lacks_end_of_mp3(path):
            present = len(soundfile.read(path)[0])
    except (OSError, RuntimeError):
        return ""  # whoever reads the file reports it
    rate = info.samplerate
    if info.format == "OGG" and "lacks an end-of-stream bit" in info.extra_info:
        return f"its stream has no end, the file has {present / rate:.3f} s"
    if promised - present < MIN_MISSING_S * rate:
        return ""
    return f"its header promises {promised / rate:.3f} s, the file has {present / rate:.3f} s"


def _read_promise(path: Path, info: Any) -> int:
    """Return the samples per channel that a header promises; those present if it does not.

    Args:
        path: The file.
        info: What `soundfile.info` says about it, with `extra_info`.
    """
    frames: int = info.frames
    if match := _SHORT_CHUNK.search(info.extra_info):
        promised, present = int(match[1]), int(match[2])
        return frames if promised >= STREAMED else round(frames * promised / present)
    count: re.Match[str] | re.Match[bytes] | None = _SHORT_RF64.search(info.extra_info)
    if info.format == "NIST":
        with path.open("rb") as handle:
            count = _SPHERE_COUNT.search(handle.read(SPHERE_HEADER_BYTES))
    return int(count[1]) if count else frames


def _lacks_end_of_mp3(path: Path) -> bool:
    """Return whether an MP3 file is smaller than the header of its encoder says.

    The header, Xing or Info, has flags of its fields, then the number of MPEG frames and that
    of bytes, 32 bits each. Files without one promise no duration, and libsndfile estimates it.
    """
    with path.open("rb") as handle:
        start = handle.read(MP3_HEADER_BYTES)
    match = re.search(rb"(?:Xing|Info)\0\0\0[\x03\x07\x0b\x0f].{4}(.{4})", start, re.DOTALL)
    return match is not None and path.stat().st_size < int.from_bytes(match[1])


def resample(samples: Array, own_rate: int, rate: int) -> Array:
    """Resample (N,) samples from `own_rate` Hz to `rate` Hz with a polyphase low-pass filter.

    The filter (`scipy.signal.resample_poly`) removes frequencies above half of the new rate.
    float32 samples stay float32.
    """
    from scipy.signal import resample_poly  # slow to import, and a prepared corpus needs none

    # resample_poly's filter grows with the factors, so reduce the ratio: 16000/44100 = 160/441.
    common = math.gcd(own_rate, rate)
    up, down = rate // common, own_rate // common
    low_pass = _design_low_pass(max(up, down)).astype(samples.dtype)
    return np.asarray(resample_poly(samples, up, down, window=low_pass))


@cache
def _design_low_pass(factor: int) -> Array:
    """Return the (20 * factor + 1,) filter that `resample_poly` designs anew in each call."""
    from scipy.signal import firwin

    return np.asarray(firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)))


def _unreadable(path: Path, error: Exception) -> DataError:
    if not path.exists():
        return DataError(path, "must exist")
    if path.is_dir():
        return DataError(path, "must be an audio file, not a folder")
    copy = f"Copy it again, {LEAVE_OUT}"
    if path.stat().st_size == 0:
        return DataError(path, "must contain audio", found="an empty file", fix=copy)
    if not os.access(path, os.R_OK):
        return DataError(path, "must be readable", fix="Change its permissions.")
    # TIMIT's original files are compressed with shorten, which libsndfile cannot decode and
    # reports as an unknown format. The compression is named in the 1024-byte NIST header.
    with path.open("rb") as handle:
        is_shorten = b"shorten" in handle.read(SPHERE_HEADER_BYTES)
    reason = str(getattr(error, "error_string", error)).strip(" .")
    fix = "Convert it to WAV or FLAC."
    if is_shorten:
        fix = "It is compressed with shorten: decompress it with sph2pipe."
    elif getattr(error, "code", None) not in UNKNOWN_FORMAT:
        return DataError(path, f"must be complete and undamaged audio ({reason})", fix=copy)
    rule = f"must be an audio file that libsndfile can read ({reason})"
    return DataError(path, rule, fix=fix)
