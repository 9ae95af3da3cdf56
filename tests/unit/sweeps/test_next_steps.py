"""The commands that are printed after a sweep."""

import pytest

from configs import compose
from framesweep.config.command_line import printed_as_calls
from framesweep.config.composition import register
from framesweep.sweeps.next_steps import list_next_steps

register()


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    return compose([])


def test_the_first_command_finds_the_best_and_the_second_compares(config):
    assert list_next_steps(config, "my study", "trials") == [
        "next: framesweep best 'my study'   prints how to train the best again",
        "      framesweep ui   compares the trials",
    ]


def test_a_sweep_that_no_command_finds_can_be_compared(config):
    assert list_next_steps(config, None, "runs") == ["next: framesweep ui   compares the runs"]


def test_a_sweep_that_is_not_tracked_has_nothing_to_compare(config):
    config.tracking.backend = "none"
    assert len(list_next_steps(config, "s", "runs")) == 1
    assert list_next_steps(config, None, "runs") == []


def test_a_sweep_from_python_is_compared_by_a_call(config):
    with printed_as_calls():
        assert list_next_steps(config, "s", "runs") == ["next: fs.runs()   compares the runs"]
