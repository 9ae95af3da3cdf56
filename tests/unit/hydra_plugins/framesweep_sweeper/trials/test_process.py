import dataclasses
import subprocess
import sys

from hydra_plugins.framesweep_sweeper.trials._process import Process


def test_this_process_is_alive_and_survives_storage():
    me = Process.current()
    assert not me.is_known_dead()
    assert Process.load(me.dump()) == me


def test_an_ended_process_is_dead_even_if_its_id_is_used_again():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process.of(child.pid)
    assert not process.is_known_dead()
    child.communicate(b"\n")
    assert process.is_known_dead()
    reused = dataclasses.replace(Process.current(), started="1")
    assert reused.is_known_dead()


def test_nothing_is_known_about_another_machine_even_of_the_same_name():
    assert not Process("elsewhere", 1, "").is_known_dead()
    ended = dataclasses.replace(Process.current(), started="1", place="another boot/pid:[1]")
    assert not ended.is_known_dead()


def test_records_of_other_versions_can_be_read():
    me = Process.current()
    assert Process.load({"host": "h", "pid": 1, "started": ""}) == Process("h", 1, "")
    assert Process.load({**me.dump(), "more": 1}) == me
