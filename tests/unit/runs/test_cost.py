"""What a run is estimated to need."""

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.data.store.run_store import open_frame_store
from framesweep.runs import cost as module
from framesweep.runs.cost import measure_cost
from framesweep.system.cgroups import memory_limit
from toy import ToyCorpus, write_hw1p2

register()


@pytest.fixture
def make_config(tmp_path):
    """Return a function that composes a config of a tiny network on a prepared toy corpus."""
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())

    def make(*overrides):
        data = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}", "data.context=2"]
        small = ["model.widths=[8,4]", "hardware.threads=1", "hardware=cpu"]
        config = compose([*data, *small, *overrides])
        open_frame_store(config)
        return config

    return make


@pytest.fixture
def each_step_takes_a_second(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))


@pytest.mark.parametrize("batch_size", [10, 40, 1000])
def test_the_time_is_that_of_all_steps_and_evaluations(
    make_config, each_step_takes_a_second, batch_size
):
    config = make_config("train.epochs=6", f"train.batch_size={batch_size}")
    steps = -(-158 // batch_size)  # of the corpus's 158 frames, rounded up
    evaluation = 50 / 158 / 3  # of dev's frames, at a third of the time
    assert measure_cost(config).seconds == pytest.approx(6 * steps * (1 + evaluation))


def test_a_limit_of_the_run_limits_its_time(make_config, each_step_takes_a_second):
    assert measure_cost(make_config("train.max_minutes=0.1", "train.epochs=50")).seconds == 6


def test_the_memory_is_that_of_this_process(make_config):
    cost = measure_cost(make_config())
    assert 0 < cost.memory < cost.memory_limit == memory_limit()


def test_nothing_is_written(make_config, tmp_path):
    config = make_config("train.batch_size=10")
    before = sorted(tmp_path.rglob("*"))
    measure_cost(config)
    assert sorted(tmp_path.rglob("*")) == before
