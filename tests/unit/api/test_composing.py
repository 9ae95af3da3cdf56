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


def test_the_values_of_a_sweep_are_refused_as_by_train():
    line = r"^model: must be a single value to train one run; found 'wide,small'\. Call sweep"
    with pytest.raises(FramesweepError, match=line):
        compose(["model=wide,small"])


def test_the_config_of_a_run_is_not_composed_but_read():
    line = r"^resume: must not be part of a config, .*\. Read fs\.load\(\"last\"\)\.config\.$"
    with pytest.raises(FramesweepError, match=line):
        compose(["resume=last"])
