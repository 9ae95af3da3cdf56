"""Each kind of normalization equals its definition in numpy."""

import numpy as np
import pytest

from framesweep.data.store.normalization import (
    SMALLEST_STD,
    Normalizer,
    fit_normalizer,
    standardize_alone,
    standardize_plainly,
)
from framesweep.data.store.prepared import SplitArrays
from framesweep.errors import DataError

LENGTHS = np.array([30, 50, 1, 40])


def make_split(speakers=("a", "b", "b", "a")):
    rng = np.random.default_rng(0)
    return SplitArrays(
        name="train",
        features=rng.normal(5, 3, size=(LENGTHS.sum(), 4)).astype(np.float32),
        labels=None,
        lengths=LENGTHS,
        ids=("u0", "u1", "u2", "u3"),
        speakers=speakers,
    )


def normalize(features, by):
    std = np.maximum(by.astype(np.float64).std(axis=0), SMALLEST_STD)
    return (features - by.astype(np.float64).mean(axis=0)) / std


def assert_normalized(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_utterance_is_normalized_by_its_own_frames():
    split = make_split()
    expected = [normalize(features, features) for features in split.utterances()]
    assert_normalized(fit_normalizer("utterance", 300, split).over(split), expected)


def test_speaker_is_normalized_by_all_utterances_of_the_speaker():
    split = make_split()
    first, second, third, fourth = split.utterances()
    of_a, of_b = np.concatenate((first, fourth)), np.concatenate((second, third))
    expected = [
        normalize(first, of_a),
        normalize(second, of_b),
        normalize(third, of_b),
        normalize(fourth, of_a),
    ]
    normalizer = fit_normalizer("speaker", 300, split)
    assert_normalized(normalizer.over(split), expected)
    # Without a split, no other utterances of the speaker are known.
    assert_normalized([normalizer(second)], [normalize(second, second)])


def test_unknown_speaker_is_refused():
    split = make_split(speakers=("a", "", "b", "a"))
    with pytest.raises(DataError, match=r"data\.normalize=speaker.*train u1 has none"):
        list(fit_normalizer("speaker", 300, split).over(split))


def test_global_normalization_uses_the_frames_of_train():
    train = make_split()
    normalizer = fit_normalizer("global", 300, train)
    assert_normalized([normalizer(train.features)], [normalize(train.features, train.features)])
    other = train.features[:7] * 3
    assert_normalized([normalizer(other)], [normalize(other, train.features)])


@pytest.mark.parametrize("window", [2, 11, 12, 300])
def test_sliding_window_has_the_same_size_everywhere(window):
    split = make_split()
    expected = []
    for features in split.utterances():
        size = min(window, len(features))
        rows = []
        for frame in range(len(features)):
            start = min(max(frame - size // 2, 0), len(features) - size)
            rows.append(normalize(features[frame], features[start : start + size]))
        expected.append(np.stack(rows))
    found = list(fit_normalizer("sliding", window, split).over(split))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3, rtol=1e-3)


def test_sliding_normalization_of_a_constant_is_zero():
    found = Normalizer("sliding", window=20)(np.full((50, 3), 1e4, np.float32))
    assert np.abs(found).max() < 1e-3


@pytest.mark.parametrize("kind", ["none", "utterance", "speaker", "sliding", "global"])
def test_normalizer_is_restored_from_its_dict(kind):
    split = make_split()
    normalizer = fit_normalizer(kind, 12, split)
    again = Normalizer.from_dict(normalizer.to_dict())
    np.testing.assert_array_equal(again(split.features), normalizer(split.features))


@pytest.mark.parametrize("feature_dim", [1, 2, 3, 13, 40, 257])
@pytest.mark.parametrize("num_frames", [1, 2, 100, 9001])
def test_one_copy_in_place_gives_the_bits_of_the_definition(num_frames, feature_dim):
    rng = np.random.default_rng(num_frames)
    features = rng.normal(5, 3, size=(num_frames, feature_dim)).astype(np.float32)
    features[:, 0] = -0.0
    for layout in (features, np.asfortranarray(features), features[::2]):
        found = standardize_alone(layout)
        assert found.dtype == np.float32
        assert found.tobytes() == standardize_plainly(layout).tobytes()
