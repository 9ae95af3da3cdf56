import dataclasses
import subprocess
import sys

from hydra_plugins.framesweep_sweeper.trials._process import Process


def test_this_process_lives():
    me = Process.current()
    assert not me.is_known_dead()
    assert Process.load(me.dump()) == me


def test_an_ended_process_is_dead_and_its_pid_is_not_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process.of(child.pid)
    assert not process.is_known_dead()
    child.communicate(b"\n")
    assert process.is_known_dead()
    later = dataclasses.replace(Process.current(), started="1")
    assert later.is_known_dead()


def test_nothing_is_known_of_another_machine_even_under_the_same_name():
    assert not Process("elsewhere", 1, "").is_known_dead()
    ended = dataclasses.replace(Process.current(), started="1", place="another boot/pid:[1]")
    assert not ended.is_known_dead()


def test_notes_of_other_versions_are_read():
    me = Process.current()
    assert Process.load({"host": "h", "pid": 1, "started": ""}) == Process("h", 1, "")
    assert Process.load({**me.dump(), "more": 1}) == me
