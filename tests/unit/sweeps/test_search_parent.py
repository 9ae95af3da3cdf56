"""A search's folder and its parent run, through the life of its study and of MLflow."""

import time

import hydra
import optuna
import pytest
from optuna.trial import create_trial

from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError
from framesweep.sweeps.context import PARENT_ATTR
from framesweep.sweeps.search_parent import SearchParent, claim_folder
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_writer import MlflowWriter


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


def follow(study, config, status="FINISHED"):
    """One call of the sweeper that ends at once; gives the parent's id."""
    listener = SearchParent()
    listener.on_start(study, config)
    listener.on_end(study, status)
    return study.user_attrs[PARENT_ATTR]


def end_trial(listener, study):
    study.add_trial(create_trial(value=1.0))
    listener.on_trial_end(study, study.trials[-1])


def test_the_parent_logs_the_search_space_under_bare_keys(config, client):
    params = client.get_run(follow(new_study(), config)).data.params
    assert params == {
        "objective": "dev/accuracy",
        "search/optim.lr": "interval(0, 1)",
        "model": "small",
        "seed": "deleted",
    }


def test_a_resumed_study_keeps_its_folder_and_its_parent(config, client):
    study = new_study()
    assert follow(study, config, "KILLED") == follow(study, config)
    assert client.get_run(study.user_attrs[PARENT_ATTR]).info.status == "FINISHED"


def test_a_new_study_of_the_same_name_is_refused_the_folder_of_the_old_one(config, outputs):
    folder = outputs / "sweeps" / "s"
    old = new_study()
    follow(old, config)
    (folder / "0").mkdir()
    for _ in range(2):  # being refused does not make the folder its own
        new = new_study()
        with pytest.raises(ConfigError) as caught:
            SearchParent().on_start(new, config)
        assert PARENT_ATTR not in new.user_attrs
    assert str(caught.value) == (
        "hydra.sweep.dir: must not be the folder of another study named s; "
        f"found '{folder}'. Move that folder away, or choose another hydra.sweeper.study_name."
    )
    folder.rename(folder.with_name("old"))
    follow(new, config)
    with pytest.raises(ConfigError):
        SearchParent().on_start(old, config)


def test_an_unmarked_folder_belongs_to_the_study_that_has_trials(tmp_path):
    (tmp_path / "0").mkdir()
    study = new_study()
    with pytest.raises(ConfigError):
        claim_folder(study, tmp_path)
    study.add_trial(create_trial(value=1.0))
    claim_folder(study, tmp_path)
    claim_folder(study, tmp_path)
    other = new_study()
    other.add_trial(create_trial(value=1.0))
    with pytest.raises(ConfigError):
        claim_folder(other, tmp_path)


def test_lock_files_and_an_unwritten_mark_do_not_prevent_claiming_a_folder(tmp_path):
    (tmp_path / ".parent.lock").touch()
    study = new_study()
    study.set_user_attr("uid", "abc")
    claim_folder(study, tmp_path)
    assert (tmp_path / ".study").read_text() == "abc"


def test_a_deleted_parent_is_replaced(config, client, caplog):
    study = new_study()
    old = follow(study, config)
    client.delete_run(old)
    new = follow(study, config)
    assert "starting a new run instead" in caplog.text
    assert new != old
    assert client.get_run(new).data.params["search/optim.lr"] == "interval(0, 1)"
    assert follow(study, config) == new


def test_the_parent_becomes_known_once_tracking_is_back(config, client, monkeypatch):
    back = []
    send = MlflowWriter.write

    def flaky(self, record):
        if not back:
            raise ConnectionError("away")
        send(self, record)

    monkeypatch.setattr(MlflowWriter, "write", flaky)
    monkeypatch.setattr("framesweep.tracking.sender.FIRST_WAIT", 0.001)
    monkeypatch.setattr("framesweep.tracking.sender.LONGEST_WAIT", 0.005)
    study, listener = new_study(), SearchParent()
    listener.on_start(study, config)
    end_trial(listener, study)
    assert PARENT_ATTR not in study.user_attrs
    back.append(True)
    end = time.monotonic() + 60
    while PARENT_ATTR not in study.user_attrs:
        assert time.monotonic() < end
        time.sleep(0.05)
        end_trial(listener, study)
    (run,) = client.search_runs(["1"])
    assert study.user_attrs[PARENT_ATTR] == run.info.run_id
    listener.on_end(study, "FINISHED")
