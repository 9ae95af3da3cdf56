"""With --json, commands print valid JSON on stdout and nothing else there."""

import json

import pytest
from click.testing import CliRunner

from framesweep.cli import _framesweep

STUDY = "json"
SEARCH = [
    "-m",
    "sweep=bare",
    "model.dropout=interval(0.1,0.2)",
    "hydra.sweeper.n_trials=2",
    f"hydra.sweeper.study_name={STUDY}",
]


@pytest.mark.heavy
def test_every_command_prints_json(shell, monkeypatch):
    monkeypatch.chdir(shell.folder)
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", shell.environment["FRAMESWEEP_OUTPUTS"])
    shell.train(*SEARCH, *shell.small)
    shell.train(*shell.small)

    def run(*arguments, code=0):
        result = CliRunner().invoke(_framesweep, [*arguments, "--json"])
        assert result.exit_code == code, (arguments, result.output, result.exception)
        return json.loads(result.stdout, parse_constant=pytest.fail)

    runs = run("runs")
    assert [row["study"] for row in runs] == ["", STUDY, STUDY]
    assert all(row["state"] == "finished" and row["epochs"] == 2 for row in runs)
    last = runs[0]["run_id"]
    assert run("evaluate", "last")["split"] == "dev"  # test has no labels
    assert run("evaluate", last[:6])["metrics"]["dev/loss"] > 0
    assert run("compare", "last", "best")[0]["run_id"] == last
    assert run("predict", "last", "--out", "p.csv")["frames"] == 120
    assert run("submit", "last")["parameters"] > 0
    assert run("export", "last", "--format", "torchscript")["file"] == "model.pt"
    assert run("report", "last")["file"] == "report.html"
    assert [study["name"] for study in run("best")] == [STUDY]
    assert run("best", STUDY)["counts"]["complete"] == 2
    ensemble = run("best", STUDY, "--ensemble", "--split", "dev", "--out", "ensemble.csv")
    assert ensemble["candidates"] == 2
    assert ensemble["accuracy"] >= ensemble["best_alone"]
    assert run("keys", "data.context")["keys"][0]["default"] == "25"
    assert set(run("prepare", *shell.small)["splits"]) == {"train", "dev", "test"}
    assert run("inspect", *shell.small)["splits"]["dev"]["frames"] == 250
    assert run("sync") == []
    upgraded = run("db", "upgrade")
    assert upgraded["before"] == upgraded["after"]
    assert run("reproduce", "last")["is_reproducible"]
