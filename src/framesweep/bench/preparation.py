"""Measures how fast corpora are prepared, in comparison with a plain copy of their files."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.bench.case import Case
from framesweep.bench.corpus import write_corpus
from framesweep.bench.timing import Speeds
from framesweep.config.features import FeatureOptions
from framesweep.data.features import mel_features
from framesweep.data.formats.audio import read_audio
from framesweep.data.store.run_store import open_frame_store
from framesweep.system.processor import name_processor

COPY_BYTES = 1 << 20
"""Bytes that a plain copy reads and writes at a time."""
AUDIO_SECONDS = 12
"""Duration of an audio file, about the mean of LibriSpeech's."""
FILES_PER_ROUND = 5
SAMPLE_RATE = 16_000
"""Sample rate of the features in Hz."""


def measure_preparation(
    folder: Path, num_frames: int, rounds: int, case: Case
) -> dict[str, Any]:
    """Return the bytes per second of preparing a corpus and of copying its files, and ratios.

    Both read and write the system's file cache, as far as memory suffices: a disk would only
    hide what preparing costs.

    Args:
        folder: folder for the corpus, which is kept, and for what is written, which is not.
        num_frames: train frames of the corpus.
        rounds: number of rounds, in each of which the corpus is prepared and copied once.
        case: the config to prepare it for.
    """
    root = write_corpus(folder, num_frames)
    config = case.compose()
    config.data.root = str(root)
    files = sorted(root.iterdir())
    speeds, stored = Speeds(case.clock), 0
    with tempfile.TemporaryDirectory(dir=folder, prefix="prepare-") as temporary:
        caches = (Path(temporary) / str(number) for number in itertools.count())

        def prepare() -> int:
            cache = next(caches)
            config.data.cache = str(cache)
            open_frame_store(config)
            return _count_bytes(files)

        def copy() -> int:
            return copy_files(files, next(caches))

        contenders = {"prepare": prepare, "copy": copy}
        for number in range(rounds + 1):
            # The first round is a warm-up, which brings the corpus into the file cache.
            (speeds if number else Speeds()).run_round(contenders)
            stored = _empty(Path(temporary))
    written = (stored - _count_bytes(files)) / _count_bytes(files)
    ratio = speeds.ratio("prepare", "copy")
    return {
        "what": "preparation",
        "frames": num_frames,
        "processor": name_processor(),
        "bytes_per_second": speeds.to_dict(),
        "bytes written per byte read": written,
        "ratio": {"copy": ratio, "copy, bytes written": ratio * written},
    }


def copy_files(files: list[Path], folder: Path) -> int:
    """Copy files to a new folder in the plainest way, and return their bytes."""
    folder.mkdir()
    total = 0
    for path in files:
        with path.open("rb") as source, (folder / path.name).open("wb") as target:
            while chunk := source.read(COPY_BYTES):
                total += target.write(chunk)
    return total


def measure_sound(rounds: int, case: Case) -> dict[str, Any]:
    """Return how many seconds of sound become log-mel features per second, on one core.

    Each file is read, resampled to 16 kHz if it has another rate, and analysed, as in preparing
    a corpus of audio files.
    """
    import soundfile

    rng = np.random.default_rng(0)
    speeds = Speeds(case.clock)
    with tempfile.TemporaryDirectory() as name:

        def write(rate: int) -> Path:
            path = Path(name) / f"{rate}.wav"
            soundfile.write(path, 0.05 * rng.standard_normal(AUDIO_SECONDS * rate), rate)
            return path

        def analyse(path: Path) -> int:
            for _ in range(FILES_PER_ROUND):
                samples, _ = read_audio(path, SAMPLE_RATE)
                mel_features(samples, SAMPLE_RATE, FeatureOptions())
            return AUDIO_SECONDS * FILES_PER_ROUND

        paths = {f"{rate} Hz": write(rate) for rate in (SAMPLE_RATE, 44_100)}
        contenders = {what: lambda path=path: analyse(path) for what, path in paths.items()}
        for number in range(rounds + 1):
            (speeds if number else Speeds()).run_round(contenders)
    return {"what": "sound", "processor": name_processor(), "times_real_time": speeds.to_dict()}


def _count_bytes(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _empty(folder: Path) -> int:
    """Delete all files in a folder and its subfolders, and return their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = _count_bytes(files)
    for path in files:
        path.unlink()
    return total
