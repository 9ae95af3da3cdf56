"""What a preview says about the runs of a sweep."""

import hydra
import pytest
from hydra.types import RunMode
from omegaconf import open_dict

from framesweep.config.composition import register, to_run_config
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError, DataError
from framesweep.runs import sweep_preview as module
from framesweep.runs.cost import RunCost
from framesweep.runs.experiment import build_experiment
from framesweep.runs.sweep_preview import (
    SweepPreview,
    describe_memory,
    describe_time,
    format_duration,
)
from framesweep.sweeps.context import remove_hydra
from toy import ToyCorpus, write_hw1p2

register()
GIB = 2**30


@pytest.fixture
def make_job(tmp_path):
    """Return a function that composes the config of a job on a toy corpus."""
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())

    def make(*overrides):
        data = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}", "data.context=2"]
        overrides = (*data, "hardware.threads=1", "hardware=cpu", *overrides)
        with hydra.initialize_config_dir(str(find_conf())):
            config = hydra.compose("config", [*overrides], return_hydra_config=True)
        with open_dict(config):
            config.hydra.mode = RunMode.MULTIRUN
        return config

    return make


def prepare(config):
    return build_experiment(to_run_config(remove_hydra(config)))


@pytest.mark.parametrize("model", ["model=pyramid", "model=conv", "model=tdnn"])
@pytest.mark.parametrize("init", ["default", "orthogonal"])
def test_the_size_is_that_of_the_network_that_would_be_trained(make_job, model, init):
    config = make_job(model, f"model.init={init}", "data.context=30")
    expected = prepare(config).num_params
    assert SweepPreview().size(config) == expected


def test_the_parameters_are_known_before_a_run_begins(make_job):
    config, preview = make_job("model=pyramid"), SweepPreview()
    names = ["model/params", "train/frames_per_second"]
    assert preview.size(config) is None
    assert preview.metrics(config, names[1:]) == {}
    assert preview.size(config) is None
    metrics = preview.metrics(config, names)  # prepares the corpus
    assert metrics == {"model/params": float(prepare(config).num_params)}


def test_a_misspelt_metric_of_a_constraint_is_refused():
    with pytest.raises(ConfigError, match=r"found 'model/parms'.*Did you mean model/params\?"):
        SweepPreview().require_metric("model/parms")
    SweepPreview().require_metric("model/params")


def test_a_run_that_would_be_refused_has_no_size(make_job):
    with pytest.raises(ConfigError, match=r"model\.widths"):
        SweepPreview().size(make_job("model.widths=[0]"))
    with pytest.raises(DataError):
        SweepPreview().size(make_job("data.root=/nonexistent"))


def test_a_corpus_that_is_not_prepared_is_not_read(make_job, tmp_path):
    preview, job = SweepPreview(), make_job("train.epochs=3", "model.widths=[8]")
    assert preview.size(job) is None
    (line,) = preview.estimate(None, 20, 1)
    data = f"data=hw1p2 data.root={tmp_path / 'corpus'} outputs={tmp_path} data.context=2"
    assert line == f"not known before the corpus is prepared. Run: framesweep prepare {data}"
    assert not (tmp_path / "cache").exists()


def test_a_view_that_is_missing_is_not_written(make_job):
    small, large = (make_job(f"model.widths=[{w}]", "data.normalize=none") for w in (4, 8))
    prepare(make_job())
    (line,) = SweepPreview().estimate((small, large), 20, 1)
    assert "data.normalize=none" in line


def test_an_estimate_has_the_time_and_the_memory(make_job):
    small, large = (make_job(f"model.widths=[{w}]") for w in (4, 8))
    prepare(small)
    time, memory = SweepPreview().estimate((small, large), 20, 2)
    assert time.startswith("time: ")
    assert time.endswith("for 20 trials by 2 workers")  # a grid prunes nothing
    searched = [make_job("sweep=bare", "hydra.sweeper.study_name=s") for _ in range(2)]
    time, _ = SweepPreview().estimate((searched[0], searched[1]), 20, 2)
    assert time.endswith("and less if trials are pruned")
    unpruned = make_job("sweep=bare", "hydra/sweeper/pruner=none", "hydra.sweeper.study_name=s")
    time, _ = SweepPreview().estimate((unpruned, unpruned), 20, 2)
    assert time.endswith("by 2 workers")
    assert "(2 workers with" in memory
    assert "fits in" in memory


def test_what_cannot_fit_is_not_tried(make_job, monkeypatch):
    job = make_job("model.widths=[8]")
    prepare(job)
    monkeypatch.setattr(module, "memory_limit", lambda: 1000)
    monkeypatch.setattr(module, "measure_cost", lambda config: pytest.fail("was tried"))
    (line,) = SweepPreview().estimate((job, job), 20, 1)
    assert "do not fit in 0.0 GiB" in line


def test_memory_that_is_exhausted_is_the_answer(make_job, monkeypatch):
    def fail(config):
        raise RuntimeError("CUDA out of memory. Tried to allocate 90 GiB")

    job = make_job("model.widths=[8]")
    prepare(job)
    monkeypatch.setattr(module, "measure_cost", fail)
    (line,) = SweepPreview().estimate((job, job), 20, 1)
    assert line.startswith("memory of the GPU")


def test_the_time_of_all_is_that_of_the_rounds_of_all_workers():
    assert describe_time([100, 20], 20, 3, prunes=True) == (
        "time: 20 s to 1.7 min of training per trial; about 7 min for 20 trials by 3 "
        "workers, and less if trials are pruned"
    )
    line = describe_time([20, 20], 1, 1, prunes=False)
    assert (
        line == "time: 20 s to 20 s of training per trial; about 20 s for 1 trial by 1 worker"
    )


@pytest.mark.parametrize(
    ("workers", "line"),
    [
        (1, "memory: 6.0 GiB fits in 16.0 GiB"),
        (2, "memory: 12.0 GiB (2 workers with 6.0 GiB each) fits in 16.0 GiB"),
        (3, "memory: 18.0 GiB (3 workers with 6.0 GiB each) does not fit in 16.0 GiB"),
    ],
)
def test_all_workers_must_fit_in_memory_together(workers, line):
    assert describe_memory(RunCost(1.0, 6 * GIB, 16 * GIB), workers) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.21, "0.21 s"), (75, "75 s"), (95, "1.6 min"), (7000, "1.9 h"), (700_000, "8.1 days")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert format_duration(seconds) == text
