"""Outputs that were moved to another folder are used there, and nowhere else."""

import re
import shutil
import sqlite3

import pytest


@pytest.mark.heavy
def test_every_command_finds_a_run_in_outputs_that_were_moved(shell, make_shell, tmp_path):
    """The new folder has characters in its name that mean something in a URL."""
    shell.train(*shell.small, "optim=adam", "train.epochs=2")
    (folder,) = [tmp_path / "50% of #é?"]
    folder.mkdir()
    shutil.move(shell.folder / "outputs", folder / "outputs")
    moved = make_shell(folder)
    (directory,) = (folder / "outputs").glob("runs/*/*")
    database = folder / "outputs" / "mlflow.db"

    def query(sql):
        with sqlite3.connect(database) as connection:
            return [value for (value,) in connection.execute(sql)]

    (run_id,) = query("select run_uuid from runs")
    moved.framesweep("evaluate", run_id, "--split", "dev")
    moved.framesweep("predict", run_id, "--split", "dev", "--out", "predictions.csv")
    assert "dev/accuracy" in moved.framesweep("compare", run_id).stdout
    assert "reproducible" in moved.framesweep("reproduce", run_id).stdout
    assert "resuming after epoch 2" in moved.train(f"resume={run_id}", "train.epochs=3").stdout
    resumed = moved.train(f"resume={directory}", "train.epochs=4").stdout
    assert re.search(r"resuming after epoch 3", resumed)

    assert not (shell.folder / "outputs").exists()
    here = (folder / "outputs" / "artifacts").as_uri()
    for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
        assert all(uri.startswith(here) for uri in query(f"select {column} from {table}"))
    assert query(f"select status from runs where run_uuid = '{run_id}'") == ["FINISHED"]
