"""The parent run of a grid: who gets one, what its jobs learn, and how it ends."""

import json
import pickle
import signal
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import OmegaConf

from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import CallbackAborted, ConfigError, Interrupted
from framesweep.sweeps import grid_parent
from framesweep.sweeps.grid_parent import (
    GridParent,
    choose_direction,
    remove_hydra,
    select_sweep_overrides,
)
from framesweep.sweeps.grids.points import POINT_FILE
from framesweep.system.checksums import dump_json
from framesweep.system.signals import stop_request
from framesweep.tracking import load_run, mlflow_store
from framesweep.tracking.models import mlflow_model

pytestmark = pytest.mark.usefixtures("empty_pictures")

GRID = ["data.context=5,15", "model=small"]


@pytest.fixture
def prepared(monkeypatch):
    """The data roots and the swept keys of the corpora that are prepared."""
    calls = []
    monkeypatch.setattr(
        grid_parent,
        "prepare_shared_corpus",
        lambda config, swept: calls.append((config.data.root, list(swept))),
    )
    return calls


@pytest.fixture
def make_config(tracked_outputs, prepared):
    """Composes the config of a multirun, as Hydra passes it to callbacks."""
    import hydra

    register()

    def make(*overrides):
        arguments = [f"outputs={tracked_outputs}", *overrides]
        config = hydra.compose("config", arguments, return_hydra_config=True)
        OmegaConf.set_readonly(config.hydra, False)
        config.hydra.overrides.task = GRID
        return config

    with hydra.initialize_config_dir(str(find_conf())):
        yield make


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


@pytest.mark.parametrize(
    ("swept", "complaint"),
    [
        ("data.context=tag(zip,choice(5,15))", "must pair two or more keys"),
        ("model.dropout=range(1,1)", r"^model.dropout: must have at least one value"),
        ("model=glob(zz*)", r"^model: must have at least one value.* as in model=glob"),
        ("data.root=glob(*)", r"^data.root: must have at least one value.* options of a group"),
    ],
)
def test_a_grid_that_cannot_be_combined_is_refused_before_it_has_a_parent(
    make_config, tracked_outputs, swept, complaint
):
    config = make_config()
    config.hydra.overrides.task = [swept, "seed=1"]
    with pytest.raises(CallbackAborted, match=complaint) as aborted:
        GridParent().on_multirun_start(config)
    assert isinstance(aborted.value.error, HydraException)
    assert not variables_of(config)
    assert [*tracked_outputs.iterdir()] == [tracked_outputs / "mlflow.db"]


def test_the_corpus_is_prepared_first_where_jobs_run_on_this_machine(
    make_config, prepared, monkeypatch
):
    config = make_config("tracking=none")
    GridParent().on_multirun_start(config)
    assert prepared == [(None, ["data.context"])]
    monkeypatch.setattr(grid_parent, "LOCAL_LAUNCHERS", ["another than basic"])
    GridParent().on_multirun_start(config)
    assert len(prepared) == 1


def test_glob_stands_for_the_options_that_hydra_finds(make_config):
    config = make_config("tracking=none")
    config.hydra.overrides.task = ["model=glob(*)"]
    GridParent().on_multirun_start(config)
    assert variables_of(config)["FRAMESWEEP_SWEPT"] == "model"


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
    assert variables_of(config) == {"FRAMESWEEP_SWEPT": "data.context"}
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


def finish_job(parent, config, number, returned, *, context="5"):
    """Let a copy of the callback see a job end, as in another process."""
    copy = pickle.loads(pickle.dumps(parent))
    job = config.copy()
    OmegaConf.set_readonly(job.hydra, False)
    OmegaConf.set_struct(job.hydra, False)
    directory = Path(config.hydra.sweep.dir) / str(number)
    job.hydra.job.num = number
    job.hydra.runtime.output_dir = str(directory)
    job.hydra.overrides.task = [f"data.context={context}", "model=small"]
    failed = isinstance(returned, Exception)
    result = JobReturn(
        _return_value=returned, status=JobStatus.FAILED if failed else JobStatus.COMPLETED
    )
    directory.mkdir(parents=True, exist_ok=True)
    copy.on_job_start(job)
    copy.on_job_end(job, result)
    return directory


@pytest.fixture
def no_plots(monkeypatch):
    """Plots take seconds; test_plots.py tests them."""
    monkeypatch.setattr("framesweep.sweeps.plots.write_plots", lambda study, folder: [])
    monkeypatch.setattr(
        "framesweep.sweeps.study_figures.write_study_figures", lambda study, path: False
    )


def test_a_job_whose_config_was_refused_says_so_in_its_record(make_config):
    config = make_config("tracking=none")
    parent = GridParent()
    parent.on_multirun_start(config)
    wrong = ConfigError("model.activation", "must be one of relu gelu")
    for number, error in enumerate((wrong, ValueError("no memory"))):
        folder = finish_job(parent, config, number, error)
        record = json.loads((folder / POINT_FILE).read_text())
        assert record["is_refused"] == (number == 0)


@pytest.mark.usefixtures("no_plots")
def test_jobs_record_their_results_and_the_parent_puts_them_together(make_config):
    config = make_config("tracking=none")
    parent = GridParent()
    parent.on_multirun_start(config)
    finish_job(parent, config, 0, 0.5)
    finish_job(parent, config, 1, 0.9, context="15")
    finish_job(parent, config, 2, ValueError("no\nmemory"))
    parent.on_multirun_end(config)
    folder = Path(config.hydra.sweep.dir)
    rows = (folder / "trials.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [
        ["0", "COMPLETE", "0.5"],
        ["1", "COMPLETE", "0.9"],
        ["2", "FAIL", ""],
    ]
    assert ",no," in rows[3]
    assert "data.context=15" in (folder / "best.yaml").read_text()


def test_a_signal_after_the_last_step_of_a_job_ends_the_grid(make_config):
    config = make_config("tracking=none")
    parent = GridParent()
    with stop_request():
        signal.raise_signal(signal.SIGTERM)  # an earlier run of this process
    parent.on_multirun_start(config)
    finish_job(parent, config, 2, 0.7)
    with stop_request():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as raised:
        finish_job(parent, config, 0, 0.5)
    assert isinstance(raised.value.__cause__, Interrupted)
    assert (Path(config.hydra.sweep.dir) / "0" / POINT_FILE).exists()
    finish_job(parent, config, 1, 0.9)


def test_a_single_run_and_a_trial_record_nothing(make_config):
    config = make_config()
    directory = finish_job(GridParent(), config, 0, 0.5)
    assert list(directory.iterdir()) == []


@pytest.mark.usefixtures("no_plots")
def test_the_winner_of_a_grid_is_its_model(make_config, tracked_outputs, monkeypatch):
    monkeypatch.setattr(
        mlflow_model, "save_model", lambda path, *_: path.joinpath("x").mkdir(parents=True)
    )
    config = make_config("tracking.register=phones")
    parent = GridParent()
    parent.on_multirun_start(config)
    for number, accuracy in enumerate((0.5, 0.9)):
        folder = finish_job(parent, config, number, accuracy) / "model"
        folder.mkdir()
        (folder / "predictor.json").write_text(dump_json({"feature_dim": 40}))
        (folder / "model.safetensors").write_text(str(number))
    parent.on_multirun_end(config)
    run_id = variables_of(config)["FRAMESWEEP_PARENT_RUN"]
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    client = mlflow_store.connect(uri, tracked_outputs)
    model = mlflow_model.find_model(client, run_id)
    assert model is not None
    assert model.tags["framesweep.digest"] == mlflow_model._hash_files(folder)
    (version,) = client.search_model_versions("name = 'phones'")
    assert version.run_id == run_id


@pytest.mark.parametrize(
    ("overrides", "direction"),
    [
        ([], "maximize"),
        (["objective=dev/loss"], "minimize"),
        (["further_objectives=[model/params]"], ["maximize", "minimize"]),
    ],
)
def test_hydras_optuna_sweeper_gets_the_direction_of_the_objective(
    make_config, overrides, direction
):
    config = make_config("hydra/sweeper=optuna", "tracking=none", *overrides)
    GridParent().on_multirun_start(config)
    assert config.hydra.sweeper.direction == direction
    loader = GlobalHydra.instance().config_loader()
    job = loader.load_sweep_config(config, ["model=small"])  # and compares them
    assert job.hydra.sweeper.direction == direction


def test_a_direction_that_was_typed_stays(make_config):
    typed = "hydra.sweeper.direction=minimize"
    config = make_config("hydra/sweeper=optuna", "tracking=none", typed)
    before = config.hydra.sweeper.direction
    config.hydra.overrides.hydra = [typed]
    choose_direction(config)
    assert config.hydra.sweeper.direction == before


@pytest.mark.parametrize(
    "typed", ["objective=dev/acc", "objective=model/params", "further_objectives=[dev/acc]"]
)
@pytest.mark.parametrize("sweep", [[], ["sweep=bare"]])
def test_a_sweep_for_an_unknown_metric_is_refused(make_config, typed, sweep):
    key = typed.partition("=")[0]
    with pytest.raises(CallbackAborted, match=rf"^{key}: must be one of dev/accuracy"):
        GridParent().on_multirun_start(make_config(*sweep, "tracking=none", typed))


def test_a_sweep_over_the_objective_is_refused(make_config):
    config = make_config("tracking=none")
    config.hydra.overrides.task = ["objective=dev/accuracy,dev/loss"]
    with pytest.raises(CallbackAborted, match=r"^objective: must be the same for all runs"):
        GridParent().on_multirun_start(config)


@pytest.mark.parametrize(
    ("overrides", "found", "says"),
    [
        ([], "minimize", "must be maximize for dev/accuracy; found minimize"),
        (
            ["further_objectives=[model/params]"],
            "[minimize,maximize]",
            "must be maximize, minimize for dev/accuracy, model/params; "
            "found minimize, maximize",
        ),
    ],
)
def test_a_search_for_the_worse_values_is_refused(make_config, overrides, found, says):
    typed = f"hydra.sweeper.direction={found}"
    config = make_config("sweep=bare", "tracking=none", *overrides, typed)
    with pytest.raises(ConfigError) as error:
        choose_direction(config)
    assert str(error.value) == f"hydra.sweeper.direction: {says}. Leave the key out."


def test_a_wrong_number_or_name_of_directions_is_left_to_the_sweeper(make_config):
    for typed in ("[minimize,maximize]", "up", "null"):
        choose_direction(make_config("sweep=bare", f"hydra.sweeper.direction={typed}"))


def test_our_sweeper_without_the_settings_of_a_search_is_refused(make_config):
    config = make_config("hydra/sweeper=framesweep")
    with pytest.raises(CallbackAborted, match=r"^hydra/sweeper: must .* Type sweep=bare"):
        GridParent().on_multirun_start(config)


def test_an_invalid_config_ends_the_grid(make_config):
    config = make_config("tracking=none", "train.epochs=99999999999999999999")
    with pytest.raises(CallbackAborted) as raised:
        GridParent().on_multirun_start(config)
    assert isinstance(raised.value.error, ConfigError)


def test_the_params_of_the_sweepers_config_are_swept_as_well(make_config, tracked_outputs):
    config = make_config("+hydra.sweeper.params={seed: '1,2'}")
    run = load_run(run_grid(config), None, tracked_outputs)
    assert run.params == {"seed": "1,2", "data.context": "5,15"}
