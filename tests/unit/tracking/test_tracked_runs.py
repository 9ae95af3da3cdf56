"""Runs that have been tracked are found by id and by directory."""

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import TrackingError
from framesweep.tracking import (
    find_run_directory,
    load_metric_history,
    load_run,
    mlflow_store,
    open_tracker,
)
from framesweep.tracking.tracked_runs import find_latest_experiment, get_run


def test_an_unknown_id_is_a_one_line_error(tracked_outputs):
    with pytest.raises(TrackingError) as caught:
        load_run("0123", None, tracked_outputs)
    expected = (
        "run: must be the id or the name of a run; found '0123'. `framesweep runs --outputs "
        f"{tracked_outputs}` lists them."
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize("run_id", ["", "../x", "a'b", "x" * 300, "\0"])
def test_text_that_cannot_be_an_id_is_an_unknown_run(tracked_outputs, run_id):
    with pytest.raises(TrackingError):
        load_run(run_id, None, tracked_outputs)


def test_looking_for_a_run_does_not_create_a_database(tmp_path):
    with pytest.raises(TrackingError, match=r"^run: must be the id or the name of a run"):
        load_run("0123", None, tmp_path / "outputs")
    assert not (tmp_path / "outputs").exists()


def test_a_database_that_the_user_names_must_exist(tmp_path):
    with pytest.raises(TrackingError, match=r"mine.db: must exist"):
        load_run("0123", f"sqlite:///{tmp_path}/mine.db", tmp_path / "outputs")


def test_a_folder_of_a_run_that_was_stopped_before_it_began_is_named(tmp_path, tracked_outputs):
    folder = tmp_path / "outputs" / "runs" / "2026-01-02" / "10-20-30-abcdef"
    folder.mkdir(parents=True)
    for outputs in (tmp_path / "outputs", tracked_outputs):
        with pytest.raises(TrackingError) as caught:
            find_run_directory(str(folder), None, outputs)
        assert str(caught.value) == (
            f"{folder}: must contain the config.yaml of a run. "
            "If its run was stopped before it began to train, start it again."
        )


def test_a_sweep_or_its_folder_is_named_with_one_of_its_runs(tmp_path):
    folder = tmp_path / "outputs" / "sweeps" / "grid"
    folder.mkdir(parents=True)
    (folder / "multirun.yaml").touch()
    with pytest.raises(TrackingError) as caught:
        find_run_directory(str(folder), None, tmp_path / "outputs")
    assert str(caught.value) == (
        f"{folder}: must contain the config.yaml of a run. "
        f"This is the folder of a sweep. Name one of its runs, as {folder / '0'}."
    )

    with pytest.raises(TrackingError) as caught:
        find_run_directory("grid", None, tmp_path / "outputs")
    assert str(caught.value) == (
        "run: must be the id or the name of a run; found 'grid'. "
        "This is a sweep. Name one of its runs, as grid/0."
    )


def test_a_run_that_framesweep_did_not_create_is_refused(tracked_outputs):
    client = mlflow_store.connect(
        mlflow_store.resolve_tracking_uri(None, tracked_outputs), tracked_outputs
    )
    run_id = client.create_run("0").info.run_id
    with pytest.raises(TrackingError, match="must have been created by framesweep"):
        load_run(run_id, None, tracked_outputs)


def test_a_run_is_found_by_its_directory(tracked_outputs):
    directory = tracked_outputs / "runs" / "a" / "b"
    with open_tracker(TrackingConfig(), tracked_outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": 1.0})
    by_id = load_run(tracker.run_id, None, tracked_outputs)
    assert load_run(str(directory), None, tracked_outputs) == by_id


def test_a_run_is_found_in_outputs_while_its_server_is_unreachable(tracked_outputs):
    directory = tracked_outputs / "runs" / "a" / "b"
    with open_tracker(TrackingConfig(), tracked_outputs, directory) as tracker:
        run_id = tracker.run_id
    gone = "http://127.0.0.1:9"
    run = load_run(run_id, gone, tracked_outputs)
    assert (run.directory, run.status) == (directory, "UNKNOWN")
    with pytest.raises(TrackingError, match=r"127.0.0.1:9: must be reachable"):
        load_run("0123", gone, tracked_outputs)


def test_a_metric_that_was_never_logged_has_no_history(tracked_outputs):
    with open_tracker(TrackingConfig(), tracked_outputs, tracked_outputs / "run") as tracker:
        pass
    assert load_metric_history(tracker.run_id, "dev/loss", None, tracked_outputs) == {}


def test_the_latest_experiment_is_the_one_of_framesweep_with_the_latest_run(tracked_outputs):
    client = mlflow_store.connect(
        mlflow_store.resolve_tracking_uri(None, tracked_outputs), tracked_outputs
    )
    assert find_latest_experiment(None, tracked_outputs) is None
    for name in ("first", "second"):
        config = TrackingConfig(experiment=name)
        open_tracker(config, tracked_outputs, tracked_outputs / name).finish()
    client.create_run(client.create_experiment("of another program"))
    second = client.get_experiment_by_name("second").experiment_id
    assert find_latest_experiment(None, tracked_outputs) == second
    again = tracked_outputs / "again"
    open_tracker(TrackingConfig(experiment="first"), tracked_outputs, again).finish()
    first = client.get_experiment_by_name("first").experiment_id
    assert find_latest_experiment(None, tracked_outputs) == first


def test_a_run_elsewhere_is_found_on_its_store_by_name_and_by_the_beginning_of_its_id(
    tracked_outputs,
):
    config = TrackingConfig(run_name="model=wide data.context=15")
    with open_tracker(config, tracked_outputs, tracked_outputs / "runs" / "a" / "b") as tracker:
        run_id = tracker.run_id
    client = mlflow_store.connect(f"sqlite:///{tracked_outputs}/mlflow.db", tracked_outputs)
    for text in (run_id, run_id[:5], "model=wide data.context=15"):
        assert get_run(client, text, tracked_outputs).info.run_id == run_id
    with open_tracker(config, tracked_outputs, tracked_outputs / "runs" / "a" / "c"):
        pass
    for text in ("ab", "%", 'a"b', "a\\b", "_" * 5):
        with pytest.raises(TrackingError, match="must be the id or the name"):
            get_run(client, text, tracked_outputs)
    with pytest.raises(TrackingError, match=r"2 match; .* \(model=wide data.context=15\), "):
        get_run(client, "model=wide data.context=15", tracked_outputs)


def test_words_prefixes_and_names_lead_to_the_same_run_in_outputs(tracked_outputs):
    directory = tracked_outputs / "runs" / "a" / "b"
    config = TrackingConfig(run_name="a name")
    with open_tracker(config, tracked_outputs, directory) as tracker:
        tracker.log_epoch(1, {"best/accuracy": 0.5})
    (directory / "config.yaml").touch()
    for text in ("last", "best", "a name", tracker.run_id[:6], "a/b"):
        assert load_run(text, None, tracked_outputs).run_id == tracker.run_id
        assert find_run_directory(text, None, tracked_outputs) == directory


def test_a_run_that_is_not_tracked_is_found_in_outputs(tmp_path):
    directory = tmp_path / "runs" / "2026-01-02" / "10-20-30-abcdef"
    directory.mkdir(parents=True)
    (directory / "config.yaml").touch()
    for text in ("last", "10-20-30", "10-20-30-abcdef", str(directory)):
        assert find_run_directory(text, None, tmp_path) == directory
    run = load_run("last", None, tmp_path)
    assert (run.run_id, run.status, run.directory) == ("", "UNKNOWN", directory)
