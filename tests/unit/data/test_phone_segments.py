"""Frames become segments that cover the audio and label the same frames again."""

import numpy as np
import pytest

from framesweep.config.features import FeatureOptions, Featurization
from framesweep.data.features import frame_centers, mel_features
from framesweep.data.formats.segments import Segments
from framesweep.data.phone_segments import (
    PhoneSegment,
    collapse,
    find_frame_edges,
    find_starts,
)


def test_successive_frames_of_one_phone_become_one_segment_with_their_mean_posterior():
    path = np.array([1, 1, 0, 1])
    posteriors = np.array([[0.1, 0.9], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]])
    found = collapse(path, posteriors, np.array([0, 0.1, 0.2, 0.3, 0.5]), ("a", "b"))
    assert [(s.phone, s.start_s, s.end_s) for s in found] == [
        ("b", 0, 0.2),
        ("a", 0.2, 0.3),
        ("b", 0.3, 0.5),
    ]
    assert [s.posterior for s in found] == pytest.approx([0.8, 0.6, 0.8])


def test_no_frames_have_no_segments():
    empty = np.empty(0, dtype=np.int64)
    assert find_starts(empty).tolist() == []
    assert collapse(empty, np.empty((0, 2)), np.zeros(1), ("a", "b")) == []


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_edges_are_halfway_between_the_centers_of_windows_and_cover_the_audio(rate):
    options = FeatureOptions(window_ms=20, shift_ms=7.5)
    samples = rate + 17
    count = len(mel_features(np.zeros(samples), rate, options))
    edges = find_frame_edges(count, Featurization(rate, options), samples / rate)
    centers = frame_centers(count, rate, options) / rate
    assert edges[0] == 0
    assert edges[-1] == samples / rate
    assert np.abs((edges[1:-1] - centers[:-1]) - (centers[1:] - edges[1:-1])).max() < 1e-12
    assert ((edges[:-1] <= centers) & (centers < edges[1:])).all()


def test_segments_label_the_frames_that_they_were_made_of():
    rng = np.random.default_rng(0)
    path = np.repeat(rng.integers(0, 3, 40), rng.integers(1, 6, 40))
    featurization = Featurization(16000, FeatureOptions())
    edges = find_frame_edges(len(path), featurization, len(path) * 0.01 + 0.02)
    segments = collapse(path, np.ones((len(path), 3)), edges, ("a", "b", "c"))
    assert all(isinstance(segment, PhoneSegment) for segment in segments)
    read = Segments(
        np.array([s.start_s for s in segments]),
        np.array([s.end_s for s in segments]),
        tuple(s.phone for s in segments),
    )
    centers = frame_centers(len(path), 16000, featurization.options) / 16000
    phones = [read.phones[i] for i in read.at(centers)]
    assert phones == ["abc"[i] for i in path]
