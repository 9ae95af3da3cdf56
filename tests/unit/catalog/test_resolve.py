"""Whatever people call a run by finds it, and never a wrong one."""

import pytest

from framesweep.catalog import (
    RunRecord,
    is_word,
    rank_finished_runs,
    resolve,
    resolve_run,
    short_id,
)
from framesweep.errors import TrackingError


def record(tmp_path, id, start=0.0, *, exists=True, **fields):
    directory = fields.pop("directory", tmp_path / "runs" / "2026-01-01" / f"{id}-dir")
    if exists:
        directory.mkdir(parents=True, exist_ok=True)
    defaults = {"run_id": id, "name": "", "state": "finished"}
    return RunRecord(id=id, start=start, directory=directory, **{**defaults, **fields})


@pytest.fixture
def find(monkeypatch, tmp_path):
    """A function that resolves a text among the given runs, the newest first."""

    def find(text, *runs):
        newest_first = sorted(runs, key=lambda run: -run.start)
        monkeypatch.setattr(resolve, "list_runs", lambda uri, outputs: newest_first)
        return resolve_run(text, None, tmp_path)

    return find


def test_ids_prefixes_names_and_directories_name_a_run(find, tmp_path):
    runs = [
        record(tmp_path, "abc111", name="model=wide"),
        record(tmp_path, "abc222", name="model=small data.context=5"),
        record(tmp_path, "study/12", run_id=""),
    ]
    assert find("abc111", *runs) is runs[0]
    assert find("abc1", *runs) is runs[0]
    assert find("model=small data.context=5", *runs) is runs[1]
    assert find("2026-01-01/abc222-dir", *runs) is runs[1]
    assert find("abc222-dir", *runs) is runs[1]
    assert find("study/12", *runs) is runs[2]


@pytest.mark.parametrize("text", ["", "ab", "model=", "dir", "/", "x" * 5000, "abc1110"])
def test_nothing_else_names_a_run(find, tmp_path, text):
    assert find(text, record(tmp_path, "abc111", name="model=wide")) is None


def test_an_ambiguous_text_lists_the_candidates_in_one_line(find, tmp_path):
    runs = [record(tmp_path, f"abc{i}", start=i, name=f"n{i}") for i in range(9)]
    with pytest.raises(TrackingError) as caught:
        find("abc", *runs)
    line = str(caught.value)
    assert line.startswith(
        "run: must name a single run, but 9 match; found 'abc'. They are abc8 ("
    )
    assert line.endswith(" and 3 more.")
    assert "\n" not in line
    assert "abc8 (n8, " in line


def test_two_runs_of_one_name_are_not_confused(find, tmp_path):
    runs = [record(tmp_path, id, name="model=wide") for id in ("abc", "def")]
    with pytest.raises(TrackingError, match="2 match"):
        find("model=wide", *runs)


def test_a_whole_id_is_preferred_to_longer_ones_that_begin_with_it(find, tmp_path):
    runs = [record(tmp_path, id, run_id="") for id in ("study/1", "study/11")]
    assert find("study/1", *runs) is runs[0]


def test_last_is_the_latest_run_that_still_has_a_directory(find, tmp_path):
    runs = [
        record(tmp_path, "a", 1, state="stopped"),
        record(tmp_path, "b", 2, state="running"),
        record(tmp_path, "c", 3, exists=False),
    ]
    assert find("last", *runs).id == "b"


def test_best_is_the_highest_accuracy_on_the_data_of_the_latest_finished_run(find, tmp_path):
    def run(id, start, accuracy, **fields):
        metrics = {} if accuracy is None else {"best/accuracy": accuracy}
        return record(tmp_path, id, start, metrics=metrics, **{"data": "mine", **fields})

    runs = [
        run("easy corpus", 1, 0.99, data="other"),
        run("good", 2, 0.8),
        run("equal but later", 3, 0.8),
        run("bad", 4, 0.7),
        run("not a number", 5, float("nan")),
        run("stopped", 6, 0.9, state="stopped"),
        run("without files", 7, 0.9, exists=False),
        run("without metrics", 8, None),
    ]
    assert find("best", *runs).id == "good"
    ranked = rank_finished_runs(None, tmp_path)
    assert [run.id for run in ranked] == ["good", "equal but later", "bad"]


@pytest.mark.parametrize("word", ["last", "best"])
def test_last_and_best_of_no_runs_are_errors_in_one_line(find, word):
    with pytest.raises(TrackingError, match=rf"^run: must .*; found '{word}'$"):
        find(word)


def test_a_folder_named_last_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_word("last")
    (tmp_path / "last" / "tracking").mkdir(parents=True)
    assert not is_word("last")


def test_the_short_id_is_the_beginning_of_mlflows_or_all_of_another(tmp_path):
    assert short_id(record(tmp_path, "0123456789abcdef")) == "01234567"
    assert short_id(record(tmp_path, "a-long-study/3", run_id="")) == "a-long-study/3"
