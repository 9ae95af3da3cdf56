import numpy as np
import pytest

from framesweep.data.store.normalization import SMALLEST_STD, Normalizer, fit_normalizer
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


def plain(features, by):
    std = np.maximum(by.astype(np.float64).std(axis=0), SMALLEST_STD)
    return (features - by.astype(np.float64).mean(axis=0)) / std


def check(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_by_utterance():
    split = make_split()
    expected = [plain(features, features) for features in split.utterances()]
    check(fit_normalizer("utterance", 300, split).over(split), expected)


def test_by_speaker():
    split = make_split()
    first, second, third, fourth = split.utterances()
    of_a, of_b = np.concatenate((first, fourth)), np.concatenate((second, third))
    expected = [
        plain(first, of_a),
        plain(second, of_b),
        plain(third, of_b),
        plain(fourth, of_a),
    ]
    normalizer = fit_normalizer("speaker", 300, split)
    check(normalizer.over(split), expected)
    # Of a single utterance nothing more of its speaker is known.
    check([normalizer(second)], [plain(second, second)])


def test_by_speaker_needs_speakers():
    split = make_split(speakers=("a", "", "b", "a"))
    with pytest.raises(DataError, match=r"data\.normalize=speaker.*train u1 has none"):
        list(fit_normalizer("speaker", 300, split).over(split))


def test_globally_as_train_has_it():
    train = make_split()
    normalizer = fit_normalizer("global", 300, train)
    check([normalizer(train.features)], [plain(train.features, train.features)])
    other = train.features[:7] * 3
    check([normalizer(other)], [plain(other, train.features)])


@pytest.mark.parametrize("window", [2, 11, 12, 300])
def test_sliding_looks_at_as_many_frames_everywhere(window):
    split = make_split()
    expected = []
    for features in split.utterances():
        size = min(window, len(features))
        rows = []
        for frame in range(len(features)):
            start = min(max(frame - size // 2, 0), len(features) - size)
            rows.append(plain(features[frame], features[start : start + size]))
        expected.append(np.stack(rows))
    found = list(fit_normalizer("sliding", window, split).over(split))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3, rtol=1e-3)


def test_sliding_over_a_constant_gives_zero_not_infinity():
    found = Normalizer("sliding", window=20)(np.full((50, 3), 1e4, np.float32))
    assert np.abs(found).max() < 1e-3


@pytest.mark.parametrize("kind", ["none", "utterance", "speaker", "sliding", "global"])
def test_comes_back_from_its_dict(kind):
    split = make_split()
    normalizer = fit_normalizer(kind, 12, split)
    again = Normalizer.from_dict(normalizer.to_dict())
    np.testing.assert_array_equal(again(split.features), normalizer(split.features))
