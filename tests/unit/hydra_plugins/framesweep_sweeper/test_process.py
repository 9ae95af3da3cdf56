import dataclasses
import subprocess
import sys

from hydra_plugins.framesweep_sweeper._process import Process


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
    later = dataclasses.replace(Process.current(), started="another boot/1")
    assert later.is_known_dead()


def test_nothing_is_known_of_another_host():
    assert not Process("elsewhere", 1, "").is_known_dead()
