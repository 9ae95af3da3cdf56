"""The rules of the feature options."""

import pytest

from framesweep.config import SegmentsConfig
from framesweep.config.features import FeatureOptions
from framesweep.errors import ConfigError


@pytest.mark.parametrize("schema", [FeatureOptions, SegmentsConfig])
@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"num_mel_bins": 0}, "data.num_mel_bins"),
        ({"num_mel_bins": 1001}, "data.num_mel_bins"),
        ({"shift_ms": 0}, "data.shift_ms"),
        ({"window_ms": -25}, "data.window_ms"),
        ({"window_ms": float("nan")}, "data.window_ms"),
        ({"features": "mfcc", "num_mel_bins": 10}, "data.num_ceps"),
        ({"deltas": 3}, "data.deltas"),
        ({"low_freq": -1.0}, "data.low_freq"),
    ],
)
def test_an_option_out_of_range_is_refused(schema, options, key):
    with pytest.raises(ConfigError) as refused:
        schema(**options)
    assert refused.value.where == key


def test_a_corpus_with_audio_obeys_the_rules_of_every_corpus():
    with pytest.raises(ConfigError, match=r"data\.context"):
        SegmentsConfig(context=51)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 40),
        ({"use_energy": True, "deltas": 1}, 82),
        ({"features": "mfcc", "use_energy": True}, 13),
        ({"features": "mfcc", "num_ceps": 20, "deltas": 2}, 60),
    ],
)
def test_the_number_of_features_counts_energy_and_derivatives(options, expected):
    assert FeatureOptions(**options).feature_dim == expected
