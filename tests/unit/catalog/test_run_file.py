"""The file that names a run: read as it was written, and never ignored if it is damaged."""

import json

import pytest

from framesweep.catalog.run_file import (
    RUN_FILE,
    STATUS_FILE,
    read_run_file,
    read_status,
    write_run_file,
    write_status,
)
from framesweep.errors import TrackingError

INFO = {"key": "abc", "run_id": "0123", "uri": "http://server"}


def test_what_was_written_is_read(tmp_path):
    write_run_file(tmp_path, INFO)
    assert read_run_file(tmp_path) == INFO


def test_a_folder_without_the_file_names_no_run(tmp_path):
    assert read_run_file(tmp_path) == {}


def test_a_file_of_an_earlier_version_has_no_checksum(tmp_path):
    (tmp_path / RUN_FILE).write_text(json.dumps(INFO))
    assert read_run_file(tmp_path) == INFO


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "3", "{", '{"run_id": "1"}', '{"run_id": null}', "\0\0"]
)
def test_a_damaged_file_is_named_instead_of_starting_another_mlflow_run(tmp_path, text):
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(TrackingError, match=r"run\.json: .* damaged\. Delete"):
        read_run_file(tmp_path)


def test_no_flipped_bit_leads_to_another_run(tmp_path):
    write_run_file(tmp_path, INFO)
    content = (tmp_path / RUN_FILE).read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1
        (tmp_path / RUN_FILE).write_bytes(damaged)
        try:
            found = read_run_file(tmp_path)
        except TrackingError:
            continue
        assert {**found, "uri": ""} == {**INFO, "uri": ""}


def test_the_uri_may_be_changed_when_a_server_has_moved(tmp_path):
    write_run_file(tmp_path, INFO)
    text = (tmp_path / RUN_FILE).read_text()
    (tmp_path / RUN_FILE).write_text(text.replace("http://server", "http://other"))
    assert read_run_file(tmp_path)["uri"] == "http://other"


def test_the_status_of_a_resumed_run_is_read_as_it_was_written(tmp_path):
    assert read_status(tmp_path) is None
    write_status(tmp_path, "FINISHED", 7)
    assert read_status(tmp_path) == ("FINISHED", 7)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "FINISHED", "time": 7}'])
def test_a_damaged_status_is_not_used(tmp_path, text):
    (tmp_path / STATUS_FILE).write_text(text)
    assert read_status(tmp_path) is None
