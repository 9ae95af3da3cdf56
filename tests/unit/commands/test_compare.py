from pathlib import Path

from configs import compose
from framesweep.commands.compare import align, build_rows, read_params, select_differing
from framesweep.config.composition import dump, register
from framesweep.tracking import RunInfo

register()


def run(directory: Path) -> RunInfo:
    params = {"train.epochs": "1", "derived.num_params": "9", "_swept/seed": "3"}
    return RunInfo("id", "name", "FINISHED", directory, params, {}, {})


def test_params_that_tracking_lacks_are_read_from_the_config_of_the_run(tmp_path):
    (tmp_path / "config.yaml").write_text(dump(compose(["train.epochs=4", "optim.beta1=0.5"])))
    params = read_params(run(tmp_path))
    assert params["optim.beta1"] == "0.5"
    assert params["train.epochs"] == "4"  # what it was resumed with; tracking keeps the first
    assert params["derived.num_params"] == "9"
    assert "_swept/seed" not in params


def test_a_run_without_a_readable_config_has_the_params_it_logged(tmp_path):
    assert read_params(run(tmp_path)) == {"train.epochs": "1", "derived.num_params": "9"}
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe damaged")
    assert read_params(run(tmp_path)) == {"train.epochs": "1", "derived.num_params": "9"}


def test_only_what_differs():
    columns = [{"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}]
    assert build_rows(columns) == [["a", "1", "1"], ["b", "2", "3"], ["c", "-", "4"]]
    assert select_differing(columns) == [["b", "2", "3"], ["c", "-", "4"]]


def test_lines_are_aligned_and_cut():
    lines = align([["a", "1"], [], ["long", "x" * 99]])
    assert lines == ["a     1", "", "long  " + "x" * 39 + "…"]


def test_runs_that_do_not_fit_the_terminal_follow_in_another_block():
    rows = [["run", "aaaa", "bbbb", "cccc"], [], ["loss", "1", "2", "3"]]
    expected = ["run   aaaa  bbbb", "", "loss  1     2", "", "run   cccc", "", "loss  3"]
    assert align(rows, 16) == expected
    assert align(rows, 22) == align(rows)
    # A run that does not fit even alone is printed all the same.
    assert len(align(rows, 5)) == 3 * 3 + 2
