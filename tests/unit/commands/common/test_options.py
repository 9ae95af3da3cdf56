"""Options that several commands share."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from framesweep import tracking
from framesweep.commands.common.options import load_runs, run_options
from framesweep.errors import TrackingError
from framesweep.runs.ensembles import predictions


@click.command()
@run_options
def show(uri, outputs, overrides):
    click.echo(f"{uri} {outputs} {overrides}")


def test_defaults_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    assert CliRunner().invoke(show).output == "None outputs ()\n"
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", "/elsewhere")
    assert CliRunner().invoke(show).output == "None /elsewhere ()\n"


def test_a_file_is_no_folder_of_runs(monkeypatch):
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", __file__)
    result = CliRunner().invoke(show)
    assert result.exit_code == 2
    assert "'--outputs': Directory" in result.output


def test_no_folder_of_runs_is_below_a_file(tmp_path):
    file = tmp_path / "file"
    file.touch()
    result = CliRunner().invoke(show, ["--outputs", f"{file}/a/b"])
    assert result.exit_code == 2
    assert f"'--outputs': Directory '{file}/a/b' is below a file, '{file}'." in result.output


def test_keys_can_be_set_repeatedly():
    arguments = ["--uri", "u", "--outputs", "o", "--set", "a=1", "--set", "b=2"]
    assert CliRunner().invoke(show, arguments).output == "u o ('a=1', 'b=2')\n"


def test_runs_are_looked_up_and_loaded_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        tracking, "find_run_directory", lambda run_id, uri, outputs: outputs / run_id
    )
    monkeypatch.setattr(
        predictions,
        "load_trained_run",
        lambda directory, overrides: (directory.name, overrides),
    )
    first, second, third = load_runs(["b", "a", "b"], None, Path("outputs"), ["k=1"])
    assert [first, second] == [("b", ["k=1"]), ("a", ["k=1"])]
    assert third is first


def test_a_key_among_the_runs_is_told_its_option(tmp_path):
    @click.command()
    @run_options
    @click.argument("run_ids", nargs=-1)
    def load(run_ids, **options):
        load_runs(run_ids, **options)

    def invoke(name):
        arguments = [name, "--outputs", str(tmp_path)]
        CliRunner().invoke(load, arguments, catch_exceptions=False)

    with pytest.raises(
        TrackingError, match=r"found 'data.root=/x'. To .* --set data.root=/x\.$"
    ):
        invoke("data.root=/x")
    with pytest.raises(TrackingError, match=r"must be the id or the name of a run; found"):
        invoke("data=demo seed=1")  # as a run may be called
