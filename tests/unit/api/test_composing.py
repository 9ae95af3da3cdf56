"""Configs composed from Python."""

import pytest

import framesweep
from framesweep.api.composing import compose
from framesweep.errors import FramesweepError


def test_a_config_is_that_of_the_command_line():
    config = compose(["model=wide", "data.context=15"])
    assert config.data.context == 15
    assert config == framesweep.compose(["model=wide", "data.context=15"])


def test_a_misspelt_key_is_one_line_with_the_nearest():
    with pytest.raises(FramesweepError, match=r"^data\.contxt: no such key\. Did you mean"):
        compose(["data.contxt=3"])
