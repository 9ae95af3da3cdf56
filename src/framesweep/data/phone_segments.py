"""Phones with times: collapses the phones of frames into segments, and places them in time.

The label of a frame is that of the phone at the center of its analysis window (see
`data.readers.segments`). A boundary between two phones is therefore put halfway between the
centers of the two frames around it: as far as possible from both, so that segments which were
rounded when they were written label the same frames when they are read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framesweep.config.features import Featurization
from framesweep.data.corpus import Array
from framesweep.data.features import frame_centers


@dataclass(frozen=True, slots=True)
class PhoneSegment:
    """A phone and the stretch of time in which it is spoken.

    Attributes:
        phone: The name of the phone.
        start_s, end_s: Start and end, in seconds from the start of the utterance.
        posterior: Mean probability of the phone over the segment's frames, from 0 to 1.
    """

    phone: str
    start_s: float
    end_s: float
    posterior: float


def find_frame_edges(num_frames: int, featurization: Featurization, duration_s: float) -> Array:
    """Return the times between frames of audio: (T + 1,) float64 in seconds, ascending.

    The first is 0 and the last is the duration, so that segments cover all of the audio.

    Args:
        num_frames: T, at least 1.
        featurization: How the frames were computed.
        duration_s: Duration of the audio in seconds.
    """
    rate = featurization.sample_rate
    centers = frame_centers(num_frames, rate, featurization.options) / rate
    between = (centers[:-1] + centers[1:]) / 2
    return np.concatenate(([0.0], between, [max(duration_s, float(centers[-1]))]))


def collapse(
    path: Array, posteriors: Array, edges: Array, names: Sequence[str]
) -> list[PhoneSegment]:
    """Merge successive frames of the same phone into segments.

    Args:
        path: (T,) integer ids of the frames' phones.
        posteriors: (T, C) probabilities.
        edges: (T + 1,) times between the frames, in seconds.
        names: The C names of the phones.
    """
    path = np.asarray(path)
    starts = find_starts(path)
    stops = np.append(starts, len(path))[1:]
    # Sums from the start of each segment to that of the next.
    own = posteriors[np.arange(len(path)), path].astype(np.float64)
    means = np.add.reduceat(own, starts) / (stops - starts) if len(path) else own
    return [
        PhoneSegment(names[path[start]], float(edges[start]), float(edges[stop]), float(mean))
        for start, stop, mean in zip(starts, stops, means, strict=True)
    ]


def find_starts(path: Array) -> Array:
    """Return the indices at which a value differs from the one before, and 0 first."""
    path = np.asarray(path)
    return np.flatnonzero(np.concatenate(([True], path[1:] != path[:-1]))[: len(path)])
