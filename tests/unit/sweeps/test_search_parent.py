"""The parent run of a search, when studies are resumed, and runs deleted or unreachable."""

import threading
import time
from pathlib import Path

import hydra
import optuna
import pytest
from omegaconf import read_write
from optuna.trial import TrialState, create_trial

from framesweep.config import TrackingConfig
from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError
from framesweep.sweeps.context import PARENT_ATTR
from framesweep.sweeps.search_parent import SearchParent
from framesweep.system.checksums import dump_json
from framesweep.tracking import mlflow_store, open_tracker
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.models import mlflow_model
from framesweep.tracking.sender import Sender
from owners import write_owner

pytestmark = pytest.mark.usefixtures("empty_pictures")


def new_study(name="s", space=None, fixed=None):
    study = optuna.create_study(study_name=name)
    study.set_user_attr("search_space", space or {"++optim.lr": "interval(0, 1)"})
    study.set_user_attr(
        "fixed_overrides", fixed or {"+model@net": "small", "~seed=1": "deleted"}
    )
    return study


@pytest.fixture
def outputs(tracked_outputs):
    return tracked_outputs


@pytest.fixture
def client(outputs):
    return mlflow_store.connect(mlflow_store.resolve_tracking_uri(None, outputs), outputs)


@pytest.fixture
def config(outputs):
    register()
    overrides = ["sweep=bare", f"outputs={outputs}", "hydra.sweeper.study_name=s"]
    with hydra.initialize_config_dir(str(find_conf())):
        return hydra.compose("config", overrides, return_hydra_config=True)


def run_search(study, config, status="FINISHED"):
    """Return the parent's id after a search without any trial."""
    parent = SearchParent()
    parent.on_start(study, config)
    parent.on_end(study, status)
    return study.user_attrs[PARENT_ATTR]


@pytest.fixture
def models(client, monkeypatch):
    """Returns the digests of the models of a run, whose packages are not written."""
    monkeypatch.setattr(
        mlflow_model, "save_model", lambda path, *_: path.joinpath("x").mkdir(parents=True)
    )

    def models(run_id):
        experiment_id = client.get_run(run_id).info.experiment_id
        found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        return [model.tags["framesweep.digest"] for model in found]

    return models


def complete_trial(study, config, value):
    """Add a completed trial to the study, and its trained network to the study's folder."""
    study.add_trial(create_trial(value=value))
    folder = Path(config.hydra.sweep.dir) / str(study.trials[-1].number) / "model"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictor.json").write_text(dump_json({"feature_dim": 40}))
    (folder / "model.safetensors").write_bytes(str(value).encode())


def end_trial(parent, study):
    study.add_trial(create_trial(value=1.0))
    parent.on_trial_end(study, study.trials[-1])


def test_the_run_of_a_failed_trial_says_why_and_keeps_no_sweeper_waiting(
    config, client, monkeypatch
):
    released = threading.Event()

    def open_late(*args, **options):
        if "claim" in options:  # that of a trial
            assert released.wait(60)
        return open_tracker(*args, **options)

    monkeypatch.setattr("framesweep.sweeps.search_parent.open_tracker", open_late)
    study, parent = new_study(), SearchParent()
    parent.on_start(study, config)
    attrs = {"failure_reason": "killed", "failure_message": "by SIGKILL"}
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=attrs))
    parent.on_trial_end(study, study.trials[0])
    assert client.search_runs(["1"], "tags.trial = '0'") == []
    released.set()
    parent.on_end(study, "FINISHED")
    (run,) = client.search_runs(["1"], "tags.trial = '0'")
    assert run.info.status == "FAILED"
    assert run.data.tags["failure_message"] == "by SIGKILL"
    assert run.data.tags["mlflow.parentRunId"] == study.user_attrs[PARENT_ATTR]


def test_a_failed_trial_whose_run_cannot_be_marked_ends_no_search(config, monkeypatch, caplog):
    study, parent = new_study(), SearchParent()
    parent.on_start(study, config)
    monkeypatch.setattr("framesweep.sweeps.search_parent.open_tracker", refuse_connection)
    study.add_trial(create_trial(state=TrialState.FAIL))
    parent.on_trial_end(study, study.trials[0])
    parent.on_end(study, "FINISHED")
    assert "The run of trial 0 could not be marked as failed (no route)" in caplog.text


def test_the_parent_logs_the_search_space_under_bare_keys(config, client):
    params = client.get_run(run_search(new_study(), config)).data.params
    assert params == {
        "objective": "dev/accuracy",
        "search/optim.lr": "interval(0, 1)",
        "model": "small",
        "seed": "deleted",
    }


def test_a_resumed_study_keeps_its_folder_and_its_parent(config, client):
    study = new_study()
    assert run_search(study, config, "KILLED") == run_search(study, config)
    assert client.get_run(study.user_attrs[PARENT_ATTR]).info.status == "FINISHED"


def test_a_new_study_of_the_same_name_is_refused_the_folder_of_the_old_one(config, outputs):
    folder = outputs / "sweeps" / "s"
    old = new_study()
    run_search(old, config)
    (folder / "0").mkdir()
    for _ in range(2):  # being refused does not mark the folder
        new = new_study()
        with pytest.raises(ConfigError) as caught:
            SearchParent().on_start(new, config)
        assert PARENT_ATTR not in new.user_attrs
    assert str(caught.value) == (
        "hydra.sweep.dir: must not be the folder of another study named s; "
        f"found '{folder}'. Move that folder away, or choose another hydra.sweeper.study_name."
    )
    folder.rename(folder.with_name("old"))
    run_search(new, config)
    with pytest.raises(ConfigError):
        SearchParent().on_start(old, config)


def test_a_deleted_parent_is_replaced(config, client, caplog):
    study = new_study()
    old = run_search(study, config)
    client.delete_run(old)
    new = run_search(study, config)
    assert "starting a new run instead" in caplog.text
    assert new != old
    assert client.get_run(new).data.params["search/optim.lr"] == "interval(0, 1)"
    assert run_search(study, config) == new


def test_a_parent_that_another_process_owns_is_left_to_it(config, outputs):
    folder = Path(config.hydra.sweep.dir)
    write_owner(folder)
    parent, study = SearchParent(), new_study()
    parent.on_start(study, config)
    assert "mlflow_parent_run" not in study.user_attrs
    (folder / ".owner").unlink()
    end_trial(parent, study)
    assert study.user_attrs["mlflow_parent_run"]
    parent.on_end(study, "FINISHED")


def test_the_parent_becomes_known_once_tracking_is_back(config, client, monkeypatch):
    back: list[float] = []
    send = MlflowWriter.write

    def flaky(self, record):
        if not back:
            raise ConnectionError("away")
        send(self, record)

    monkeypatch.setattr(MlflowWriter, "write", flaky)
    monkeypatch.setattr("framesweep.tracking.sender.FIRST_WAIT", 0.001)
    monkeypatch.setattr("framesweep.tracking.sender.LONGEST_WAIT", 0.005)
    study, parent = new_study(), SearchParent()
    parent.on_start(study, config)
    end_trial(parent, study)
    assert PARENT_ATTR not in study.user_attrs
    back.append(True)
    end = time.monotonic() + 60
    while PARENT_ATTR not in study.user_attrs:
        assert time.monotonic() < end
        time.sleep(0.05)
        end_trial(parent, study)
    (run,) = client.search_runs(["1"])
    assert study.user_attrs[PARENT_ATTR] == run.info.run_id
    parent.on_end(study, "FINISHED")


def test_the_winner_of_a_search_is_its_model_exactly_once(config, models):
    study = optuna.create_study(study_name="s", direction="maximize")
    study.set_user_attr("search_space", {})
    study.set_user_attr("fixed_overrides", {})
    for value in (0.5, 0.9, 0.7):
        complete_trial(study, config, value)
    run_id = run_search(study, config)
    first = models(run_id)
    assert len(first) == 1
    assert models(run_search(study, config)) == first
    complete_trial(study, config, 0.95)
    assert run_search(study, config) == run_id
    (second,) = models(run_id)
    assert second != first[0]


def test_the_model_of_a_winner_is_sent_by_the_next_sweep_if_this_one_is_killed(
    config, models, monkeypatch
):
    study = new_study()
    complete_trial(study, config, 0.5)
    write, close, written = MlflowWriter.write, Sender.close, threading.Event()

    def killed(self, record):
        write(self, record)
        if record["kind"] == "model":
            written.set()
            # The process dies before the outbox can forget the record.
            raise ConnectionError("gone")

    def close_then(self, seconds):
        assert written.wait(60)
        return close(self, 0)

    with monkeypatch.context() as context:
        context.setattr(MlflowWriter, "write", killed)
        context.setattr(Sender, "close", close_then)
        run_id = run_search(study, config)
    assert len(models(run_id)) == 1
    assert run_search(study, config) == run_id
    assert len(models(run_id)) == 1


def test_the_winner_is_registered_under_the_name_that_the_config_gives(config, models, client):
    config.tracking.register = "phones"
    study = new_study()
    complete_trial(study, config, 0.5)
    run_id = run_search(study, config)
    run_search(study, config)
    (version,) = client.search_model_versions("name = 'phones'")
    assert version.run_id == run_id


def leave_unsent(monkeypatch, config, outputs):
    """Track a trial whose database cannot be written until it has ended."""
    directory = Path(config.hydra.sweep.dir) / "0"
    with monkeypatch.context() as patch:
        patch.setattr("framesweep.tracking.mlflow_tracker.DATABASE_SECONDS", 0.1)
        patch.setattr(MlflowWriter, "write", refuse_connection)
        with open_tracker(TrackingConfig(), outputs, directory, tags={"trial": "0"}) as tracker:
            tracker.log_epoch(1, {"dev/loss": 0.5})
    return directory / "tracking" / "outbox.jsonl"


def refuse_connection(*args, **options):
    raise ConnectionError("no route")


def test_a_finished_search_sends_what_its_trials_could_not(
    config, outputs, client, monkeypatch
):
    study, parent = new_study(), SearchParent()
    parent.on_start(study, config)
    outbox = leave_unsent(monkeypatch, config, outputs)
    assert outbox.read_bytes()

    parent.on_end(study, "FINISHED")

    assert outbox.read_bytes() == b""
    experiment = client.get_experiment_by_name(TrackingConfig().experiment).experiment_id
    (run,) = client.search_runs([experiment], "tags.trial = '0'")
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"dev/loss": 0.5}


def test_a_search_says_that_records_of_trials_wait(config, outputs, monkeypatch, caplog):
    monkeypatch.setattr("framesweep.sweeps.search_parent.LATE_SECONDS", 0.1)
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.DATABASE_SECONDS", 0.1)
    study, parent = new_study(), SearchParent()
    parent.on_start(study, config)
    leave_unsent(monkeypatch, config, outputs)
    monkeypatch.setattr(MlflowWriter, "write", refuse_connection)
    parent.on_end(study, "FINISHED")
    assert "Records of 1 trials could not be sent to tracking" in caplog.text
    assert f"`framesweep sync --outputs {outputs}`" in caplog.text


def test_a_search_that_was_stopped_has_no_winner_yet(config, models):
    study = new_study()
    complete_trial(study, config, 0.5)
    assert models(run_search(study, config, "KILLED")) == []


def test_a_search_ends_with_the_commands_that_use_its_results(config, outputs):
    parent = SearchParent()
    study = new_study()
    parent.on_start(study, config)
    best, ui = parent.next_steps(study)
    parent.on_end(study, "FINISHED")
    assert best.startswith(f"next: framesweep best s --outputs {outputs}")
    assert "--storage" not in best
    assert "framesweep ui --outputs" in ui


def test_the_command_names_the_storage_of_a_search_that_has_its_own(config, tmp_path):
    with read_write(config.hydra):
        config.hydra.sweeper.storage = f"{tmp_path}/s.journal"
    parent = SearchParent()
    study = new_study()
    parent.on_start(study, config)
    parent.on_end(study, "FINISHED")
    assert f" --storage {tmp_path}/s.journal " in parent.next_steps(study)[0]


def test_a_study_shares_the_parent_of_the_one_that_it_extends(config, client):
    storage = optuna.storages.InMemoryStorage()
    studies = [optuna.create_study(study_name=name, storage=storage) for name in ("s", "s-2")]
    for study in studies:
        study.set_user_attr("search_space", {"a": "choice(1, 2)"})
        study.set_user_attr("fixed_overrides", {"b": "1" if study is studies[0] else "2"})
    studies[1].set_user_attr("extends", {"study": "s", "changes": [["b", "1", "2"]]})
    first = run_search(studies[0], config)
    with read_write(config.hydra):
        config.hydra.sweep.dir = f"{config.hydra.sweep.dir}-2"
    assert run_search(studies[1], config) == first
    run = client.get_run(first)
    assert run.data.params["b"] == "1"
    assert run.data.params["extended/s-2"] == "b: 1 -> 2"
    assert (
        "It extends an earlier one (b: 1 -\\> 2). Study s "
        in run.data.tags["mlflow.note.content"]
    )
    assert run.info.status == "FINISHED"
