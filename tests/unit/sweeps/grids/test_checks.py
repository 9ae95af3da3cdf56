"""A grid with a wrong key or value is refused before anything of it is recorded."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf

from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError
from framesweep.sweeps.grids.checks import (
    require_grid,
    require_no_search_keys,
    require_preview,
    require_shared_keys,
)


@pytest.fixture
def check():
    register()

    def check(*overrides, hydra=()):
        config = compose("config", overrides=list(hydra), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return require_grid(config, list(overrides))

    with initialize_config_dir(str(find_conf())):
        yield check


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["data.context=5,-1"], ConfigError, "data.context: must be between 0"),
        (["model.dropout=0.1,1.5", "model=small,wide"], ConfigError, r"model.dropout: .*1\.5"),
        (["model.activation=relu,foo"], ConfigError, "model.activation: .*found 'foo'"),
        (["data.context=5,x"], HydraException, "data.context"),
        (["data.contxt=5,10"], HydraException, "data.contxt"),
        (["model=small,smal"], HydraException, "smal"),
        (["data.context=range(5,10,0)"], HydraException, "must not be zero"),
    ],
)
def test_a_wrong_value_is_refused_wherever_it_stands(check, overrides, error, message):
    with pytest.raises(error, match=message):
        check("train.epochs=1", *overrides)


@pytest.mark.parametrize("size", ["0", "-2", "many"])
def test_a_batch_has_at_least_one_job(check, size):
    typed = f"hydra.sweeper.max_batch_size={size}"
    with pytest.raises(ConfigError, match=r"max_batch_size: must be 1 or more, or null; found"):
        check("data.context=5,10", hydra=[typed])


def test_the_points_of_a_correct_grid_are_counted(check):
    pairs = ["optim.lr=tag(zip,choice(1e-3,2e-3))", "seed=tag(zip,choice(1,2))"]
    assert check("data.context=5,10,15", "model=small,wide", *pairs) == 12
    assert check("data.context=5,10", "model=glob(*)", *pairs) > 4


def test_runs_are_not_mixed_with_those_of_another_grid(check, tmp_path):
    earlier = {"hydra": {"overrides": {"task": ["model=small", "seed=1,2", "train.epochs=1"]}}}
    OmegaConf.save(OmegaConf.create(earlier), tmp_path / "multirun.yaml")
    folder = f"hydra.sweep.dir={tmp_path}"
    check("model=small", "seed=1,2", "tracking=none", "train.epochs=2", hydra=[folder])
    for other in (["seed=1,2,3", "model=small"], ["model=small", "seed=2,1"], ["seed=1,2"]):
        with pytest.raises(ConfigError, match="keys were model=small seed=1,2; found"):
            check(*other, hydra=[folder])
        check(*other, hydra=[folder, "hydra.sweep.subdir=${hydra.job.override_dirname}"])
        check(*other)


def test_runs_do_not_share_a_folder(check):
    message = r"^hydra\.sweep\.subdir: must .* of its own; found 'x'\. Type .*=x/\$\{hydra\.job"
    with pytest.raises(ConfigError, match=message):
        check("seed=1,2", hydra=["hydra.sweep.subdir=x"])
    assert check("seed=1", hydra=["hydra.sweep.subdir=x"]) == 1
    assert check("seed=1,2", hydra=["hydra.sweep.subdir=x/${hydra.job.num}"]) == 2


@pytest.mark.parametrize("formats", ["auto,frames", "frames,auto"])
def test_what_does_not_fit_together_is_left_to_its_run(check, formats):
    corpus = ["data=segments", "data.features=npy", "data.segments=labels"]
    check(*corpus, f"data.format={formats}", "data.match_length=none,pad")
    with pytest.raises(ConfigError, match=r"data\.match_length: needs a label per frame"):
        check(*corpus, "data.format=auto,phn", "data.match_length=none,pad")


@pytest.mark.parametrize("key", ["sweep.new=true", "sweep.extend=true", "sweep.start_from=[a]"])
def test_keys_of_searches_are_refused(key):
    require_no_search_keys(["data.context=5,10", "sweep.retries=2", "sweep.new=false"])
    with pytest.raises(ConfigError, match=r"needs a search; found '.*'\. Add sweep=bare\."):
        require_no_search_keys(["data.context=5,10", key])


@pytest.mark.parametrize("sweeper", ["basic", "optuna"])
def test_only_sweepers_with_a_preview_are_asked_for_one(sweeper):
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/sweeper": sweeper}}}})
    if sweeper == "basic":
        require_preview(config)
        return
    with pytest.raises(ConfigError, match=r"^sweep\.preview: needs a grid, .*=optuna'"):
        require_preview(config)


@pytest.mark.parametrize(
    ("params", "swept", "found"),
    [
        ({}, {"objective": "dev/accuracy,dev/loss"}, "objective: .* found 'dev/accuracy,dev"),
        ({"outputs": "choice(a,b)"}, {}, r"outputs: .* found 'choice\(a,b\)'"),
        (None, {"sweep": "optuna,pareto"}, "sweep: .*. Start a sweep for each of them"),
    ],
)
def test_what_the_runs_of_a_sweep_share_is_not_swept(params, swept, found):
    config = OmegaConf.create({"hydra": {"sweeper": {"params": params}}})
    require_shared_keys(OmegaConf.create({"hydra": {"sweeper": {}}}), {"seed": "1,2"})
    with pytest.raises(ConfigError, match=found):
        require_shared_keys(config, swept)
