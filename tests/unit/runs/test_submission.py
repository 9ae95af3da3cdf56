"""Submissions: compared with their sample, and written as a CSV file."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError
from framesweep.runs.submission import (
    choose_labels,
    describe_limit,
    find_checked_sample,
    find_header,
    find_sample,
    format_csv,
    read_sample,
)

register()


def config_of(root: Path, *overrides: str) -> Any:
    return compose(["data=hw1p2_folders", f"data.root={root}", *overrides])


def run_in(directory: Path, *overrides: str) -> Any:
    """Return a trained run of three frames, whose corpus is in its directory."""
    directory.mkdir()
    splits = {"test": SimpleNamespace(num_frames=3)}
    return SimpleNamespace(
        config=config_of(directory, *overrides),
        store=SimpleNamespace(splits=splits, phones=PhoneSet(("SIL", "AA"))),
        require_split=splits.__getitem__,
    )


@pytest.mark.parametrize(
    "place",
    [
        "sample_submission.csv",
        "random_submission.csv",
        "test-clean/transcript/random_submission.csv",
    ],
)
def test_the_sample_is_found_where_courses_put_it(tmp_path: Path, place: str) -> None:
    assert find_sample(config_of(tmp_path)) is None
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("id,label\n")
    assert find_sample(config_of(tmp_path)) == path
    assert find_sample(compose([])) is None, "the demo corpus has no folder"


@pytest.mark.parametrize("place", ["", "input/data/"])
def test_the_sample_is_found_around_and_in_zip_files(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "around"
    path = folder / place / "test-clean" / "sampleSubmission.csv"
    path.parent.mkdir(parents=True)
    path.write_text("id,label\n0,AA\n")
    assert find_sample(config_of(folder)) == path
    archive = shutil.make_archive(str(tmp_path / "hw"), "zip", folder)
    found = find_sample(config_of(Path(archive)))
    assert found is not None
    assert str(found) == f"{archive}/{place}test-clean/sampleSubmission.csv"
    assert read_sample(found).num_rows == 1


def test_only_a_course_has_its_sample_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "hw1p2").mkdir()
    (tmp_path / "hw1p2" / "sample_submission.csv").touch()
    assert find_sample(config_of(tmp_path)) is not None
    assert find_sample(compose(["data=segments", f"data.root={tmp_path}"])) is None


def test_samples_in_several_folders_are_those_of_nobody(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sample_submission.csv").touch()
    assert find_sample(config_of(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "header", "labels"),
    [
        ("id,label\n0,AA\n1,7\n", ("id", "label"), "phone"),
        ("\ufeffindex,label\r\n0,0\r\n1,12\r\n", ("index", "label"), "id"),
        ("Id,Label\n0,\n1,7\n", ("Id", "Label"), "id"),
    ],
)
def test_a_sample_has_a_header_rows_and_labels(
    tmp_path: Path, text: str, header: tuple[str, str], labels: str
) -> None:
    path = tmp_path / "sample_submission.csv"
    path.write_text(text, encoding="utf-8", newline="")
    sample = read_sample(path)
    assert (sample.header, sample.num_rows, sample.labels) == (header, 2, labels)
    run = run_in(tmp_path / "run")
    assert choose_labels(run, sample, None) == choose_labels(run, sample, labels) == labels


def test_a_sample_with_empty_labels_says_nothing_about_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "sample_submission.csv"
    path.write_text("Id,Label\n0,\n1,\n2,\n")
    sample = read_sample(path)
    assert sample.labels is None
    run = run_in(tmp_path / "run")
    assert choose_labels(run, sample, None) == "phone"
    assert choose_labels(run, sample, "id") == "id"
    run.store.phones = PhoneSet.numbered(2)
    run.config = compose(["data=hw1p2", f"data.root={tmp_path}"])
    assert choose_labels(run, sample, None) == "id"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,phones\n", "must have the columns id and label, .*; found 'file,phones'"),
        ("0,AA\n1,AA\n", "must have the columns id and label, .*; found '0,AA'"),
        ("", "must have the columns id and label"),
        ("id,label\n1,AA\n", "row 1 must have the id 0 and a label; found '1,AA'"),
        ("id,label\n0,AA\n0,AA\n", "row 2 must have the id 1 and a label; found '0,AA'"),
        ("id,label\n0\n", "row 1 must have the id 0 and a label; found '0'"),
        ("id,label\n0,\xff\n", "must be a readable CSV file"),
    ],
)
def test_a_malformed_sample_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "sample_submission.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message) as raised:
        read_sample(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_sample_of_another_length_names_the_limit_of_the_run(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", "data.max_utterances=1")
    (tmp_path / "run" / "sample_submission.csv").write_text("id,label\n0,AA\n")
    fix = "one for each frame of test; found 1. Pass --set data.max_utterances=null."
    with pytest.raises(DataError, match=fix):
        find_checked_sample(run, "test")


def test_predictions_of_some_utterances_only_are_named_with_the_way_to_all(tmp_path):
    assert describe_limit(run_in(tmp_path / "all")) == []
    assert describe_limit(run_in(tmp_path / "some", "data.max_utterances=50")) == [
        "only the first 50 utterances, as data.max_utterances=50 says; "
        "--set data.max_utterances=null takes all"
    ]


def test_only_test_is_compared_with_the_sample(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    run.store.splits["dev"] = SimpleNamespace(num_frames=9)
    (tmp_path / "run" / "sample_submission.csv").write_text("id,label\n0,A\n1,A\n2,A\n")
    assert find_checked_sample(run, "dev") is None
    assert find_checked_sample(run, "test") is not None


def test_names_are_the_default_where_transcripts_have_names(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    assert choose_labels(run, None, None) == "phone"
    run.config = compose(["data=hw1p2"])
    assert choose_labels(run, None, None) == "id"
    assert choose_labels(run, None, "phone") == "phone"


@pytest.mark.parametrize(
    ("asked", "label", "line"),
    [
        ("id", "AA", "--labels: must be phone, because .*csv has names; found 'id'. Leave"),
        ("phone", "1", "--labels: must be id, because .*csv has numbers; found 'phone'. Leave"),
    ],
)
def test_labels_of_another_kind_than_those_of_the_sample_are_refused(
    tmp_path, asked, label, line
):
    run = run_in(tmp_path / "run")
    (tmp_path / "sample_submission.csv").write_text(f"id,label\n0,{label}\n")
    sample = read_sample(tmp_path / "sample_submission.csv")
    with pytest.raises(ConfigError, match=line):
        choose_labels(run, sample, asked)


def test_names_cannot_be_written_of_phones_without_names(tmp_path):
    run = run_in(tmp_path / "run")
    run.store.phones = PhoneSet.numbered(2)
    (tmp_path / "sample_submission.csv").write_text("id,label\n0,AA\n")
    sample = read_sample(tmp_path / "sample_submission.csv")
    for asked in (None, "id", "phone"):
        with pytest.raises(
            DataError, match=r"must have numbers .*; found 'names'\. Train with"
        ):
            choose_labels(run, sample, asked)
    with pytest.raises(ConfigError, match=r"--labels: must be id, .* no names\. Train with"):
        choose_labels(run, None, "phone")
    assert choose_labels(run, None, "id") == "id"


@pytest.mark.parametrize(
    ("overrides", "header"),
    [
        (["data=libriphone"], "Id,Class"),
        (["data=timit_11"], "Id,Class"),
        (["data=hw1p2"], "id,label"),
    ],
)
def test_columns_are_those_of_the_course(overrides, header):
    text = format_csv([2, 0], ("a", "b", "c"), "id", None, find_header(compose(overrides)))
    assert text.splitlines() == [header, "0,2", "1,0"]


def test_sample_with_a_column_class_is_read(tmp_path):
    (tmp_path / "sampleSubmission.csv").write_text("Id,Class\n0,0\n1,0\n")
    found = read_sample(tmp_path / "sampleSubmission.csv")
    assert (found.header, found.num_rows, found.labels) == (("Id", "Class"), 2, "id")
