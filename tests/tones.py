"""Writes a small corpus of audio files in which each phone is a tone."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
PITCH = {"pau": 0, "aa": 300, "s": 3000, "iy": 1000}


def write_tones(root: Path, num_utterances: int = 20) -> Path:
    """Utterances of four phones in Festival's layout, `wav/*.flac` and `lab/*.lab`."""
    rng = np.random.default_rng(0)
    for folder in ("wav", "lab"):
        (root / folder).mkdir()
    for number in range(num_utterances):
        phones = ["pau", *rng.permutation(["aa", "s", "iy"]), "pau"]
        ends = np.cumsum(rng.uniform(0.1, 0.4, size=len(phones)))
        times = np.arange(round(ends[-1] * RATE)) / RATE
        samples = rng.normal(scale=0.01, size=len(times))
        for phone, start, end in zip(phones, [0, *ends[:-1]], ends, strict=True):
            inside = (times >= start) & (times < end)
            samples[inside] += 0.3 * np.sin(2 * np.pi * PITCH[phone] * times[inside])
        soundfile.write(root / "wav" / f"u{number:02}.flac", samples, RATE)
        lines = [f"{end:.5f} 125 {phone}" for phone, end in zip(phones, ends, strict=True)]
        (root / "lab" / f"u{number:02}.lab").write_text("\n".join(["#", *lines]))
    return root
