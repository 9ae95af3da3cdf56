"""The parent run of a grid: who gets one, what its jobs learn, and how it ends."""

import pickle
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import Interrupted
from framesweep.sweeps.grid_parent import GridParent, remove_hydra, select_sweep_overrides
from framesweep.system.checksums import dump_json
from framesweep.tracking import load_run, mlflow_store
from framesweep.tracking.models import mlflow_model
from framesweep.tracking.models.description import write_summary

GRID = ["data.context=5,15", "model=small"]


@pytest.fixture
def make_config(tracked_outputs):
    """Composes the config of a multirun, as Hydra passes it to callbacks."""
    import hydra

    register()

    def make(*overrides):
        arguments = [f"outputs={tracked_outputs}", *overrides]
        with hydra.initialize_config_dir(str(find_conf())):
            config = hydra.compose("config", arguments, return_hydra_config=True)
        OmegaConf.set_readonly(config.hydra, False)
        config.hydra.overrides.task = GRID
        return config

    return make


def variables_of(config) -> dict[str, str]:
    """The environment variables that the parent asks Hydra to set in each job."""
    prefix = "++hydra.job.env_set."
    pairs = (text.removeprefix(prefix).split("=", 1) for text in config.hydra.overrides.hydra)
    return {name: value.strip("'") for name, value in pairs if name.startswith("FRAMESWEEP")}


def run_grid(config, error=None):
    """Return the parent's id after a grid that ends with `error`."""
    parent = GridParent()
    parent.on_multirun_start(config)
    try:
        if error is not None:
            raise error
    except BaseException:
        parent.on_multirun_end(config)
    else:
        parent.on_multirun_end(config)
    return variables_of(config)["FRAMESWEEP_PARENT_RUN"]


def test_jobs_in_other_processes_get_the_callback_without_its_tracker(make_config):
    config = make_config()
    parent = GridParent()
    parent.on_multirun_start(config)
    copy = pickle.loads(pickle.dumps(parent))
    copy.on_multirun_end(config)  # nothing to end
    parent.on_multirun_end(config)


def test_jobs_learn_their_parent_and_the_swept_keys(make_config, tracked_outputs):
    config = make_config()
    run = load_run(run_grid(config), None, tracked_outputs)
    assert variables_of(config)["FRAMESWEEP_SWEPT"] == "data.context"
    assert (run.params, run.tags["sweep"]) == ({"data.context": "5,15"}, "grid")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (RuntimeError("x"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (Interrupted(15), "KILLED"),
    ],
)
def test_the_parent_ends_as_the_grid_does(make_config, tracked_outputs, error, status):
    run_id = run_grid(make_config(), error)
    assert load_run(run_id, None, tracked_outputs).status == status


def test_a_search_gets_no_second_parent(make_config, tracked_outputs):
    config = make_config("sweep=bare", "hydra.sweeper.study_name=s")
    parent = GridParent()
    parent.on_multirun_start(config)
    assert variables_of(config) == {}
    parent.on_multirun_end(config)


def test_a_grid_without_tracking_has_no_parent(make_config):
    config = make_config("tracking=none")
    parent = GridParent()
    parent.on_multirun_start(config)
    assert variables_of(config) == {}
    parent.on_multirun_end(config)


def test_credentials_are_removed_from_the_file_of_hydras_sweeper(make_config, tmp_path):
    config = make_config("tracking=none", f"hydra.sweep.dir={tmp_path}")
    path = tmp_path / "multirun.yaml"
    path.write_text("uri: http://ann:s3cret@host\n")
    GridParent().on_multirun_end(config)
    assert path.read_text() == "uri: http://***@host\n"


def test_sweep_overrides_are_distinguished_from_fixed_ones():
    overrides = ["data.context=5,15", "model=choice(small,wide)", "seed=range(1,4)", "a=1"]
    assert select_sweep_overrides(overrides) == {
        "data.context": "5,15",
        "model": "choice(small,wide)",
        "seed": "range(1,4)",
    }


def test_keys_of_sweep_overrides_are_bare():
    command = ["++optim.lr=1,2", "model@net=small,wide", "~augment.noise"]
    assert select_sweep_overrides(command) == {"optim.lr": "1,2", "model": "small,wide"}


def test_removing_hydra_keeps_the_rest_and_the_original():
    config = OmegaConf.create({"hydra": {"job": 1}, "seed": 3})
    OmegaConf.set_readonly(config, True)
    assert remove_hydra(config) == {"seed": 3}
    assert "hydra" in config


def test_the_winner_of_a_grid_is_its_model(make_config, tracked_outputs, monkeypatch):
    monkeypatch.setattr(
        mlflow_model, "save_model", lambda path, *_: path.joinpath("x").mkdir(parents=True)
    )
    config = make_config("tracking.register=phones")
    for number, accuracy in enumerate((0.5, 0.9)):
        folder = Path(config.hydra.sweep.dir) / str(number) / "model"
        folder.mkdir(parents=True)
        (folder / "predictor.json").write_text(dump_json({"feature_dim": 40}))
        (folder / "model.safetensors").write_text(str(number))
        write_summary(
            folder,
            corpus="c",
            frames={},
            widths=(),
            num_params=1,
            context=0,
            epoch=1,
            metrics={"dev/accuracy": accuracy},
        )
    run_id = run_grid(config)
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    client = mlflow_store.connect(uri, tracked_outputs)
    model = mlflow_model.find_model(client, run_id)
    assert model is not None
    assert model.tags["framesweep.digest"] == mlflow_model._hash_files(folder)
    (version,) = client.search_model_versions("name = 'phones'")
    assert version.run_id == run_id
