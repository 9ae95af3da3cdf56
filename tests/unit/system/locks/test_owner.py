"""The file that names the owner of a directory."""

import json
from dataclasses import asdict

import pytest

from framesweep.system.locks.owner import OWNER_FILE, Owner
from hydra_plugins.framesweep_sweeper import Process


@pytest.fixture
def owner():
    return Owner("a1b2", Process.current(), 1_790_000_000.0, claim=3)


def test_an_owner_is_read_as_it_was_written(tmp_path, owner):
    (tmp_path / OWNER_FILE).write_text(json.dumps(asdict(owner)))
    assert Owner.read(tmp_path) == owner


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"token": "a"}', '{"process": 3}'])
def test_a_damaged_file_names_no_owner(tmp_path, text):
    (tmp_path / OWNER_FILE).write_text(text)
    assert Owner.read(tmp_path) is None


def test_a_directory_without_the_file_has_no_owner(tmp_path):
    assert Owner.read(tmp_path) is None


def test_this_process_has_not_ended(tmp_path, owner):
    assert not owner.has_ended(tmp_path)


def test_its_text_says_which_process_on_which_machine_since_when(owner):
    process = owner.process
    assert str(owner).startswith(f"{process.pid} on {process.host} since 2026-")
