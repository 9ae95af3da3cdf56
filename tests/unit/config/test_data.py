"""Rules of the keys that all corpora share."""

from typing import Any

import pytest

from framesweep.config import (
    MAX_CONTEXT,
    DataConfig,
    Hw1p2Config,
    Hw1p2FoldersConfig,
    KaldiConfig,
)
from framesweep.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("context", 51),
        ("context", -1),
        ("normalize_frames", 1),
        ("max_utterances", 0),
        ("share", 0.0),
        ("share", 1.5),
        ("share_growth", -0.1),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        DataConfig(**{key: value})
    assert str(caught.value).startswith(f"data.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)


def test_the_limits_are_valid():
    assert DataConfig(context=MAX_CONTEXT, normalize_frames=2, max_utterances=1)
    assert DataConfig(context=0)


@pytest.mark.parametrize("schema", [Hw1p2Config, Hw1p2FoldersConfig, KaldiConfig])
def test_corpora_of_stored_features_have_the_shift_that_is_set(schema):
    assert schema().frame_shift_ms == 10
    assert schema(shift_ms=20).frame_shift_ms == 20
    with pytest.raises(ConfigError, match=r"data\.shift_ms: must be above 0"):
        schema(shift_ms=0)
