"""Which GPUs workers get, with a driver's tool that a script stands for."""

import pytest

from hydra_plugins.framesweep_sweeper.workers import _devices
from hydra_plugins.framesweep_sweeper.workers._devices import (
    WorkerPlan,
    device_environment,
    list_devices,
    plan_workers,
)

TWO_GPUS = """\
GPU 0: Tesla T4 (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 1: Tesla T4 (UUID: GPU-4404041a-04cf-1ccf-9e70-f139a9b1e23c)
"""
PARTITIONED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 2g.10gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-4404041a-04cf-1ccf-9e70-f139a9b1e23c)
"""


@pytest.fixture(autouse=True)
def machine_without_gpus(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(_devices, "PROC_GPUS", tmp_path / "proc")
    install_nvidia_smi(tmp_path, "exit 9")


def install_nvidia_smi(folder, script):
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,1", ["0", "1"]),
        ("3, 1", ["3", "1"]),
        ("GPU-5c89852c,MIG-c6d4f1ef-42e4", ["GPU-5c89852c", "MIG-c6d4f1ef-42e4"]),
        ("MIG-GPU-5c89852c/1/0", ["MIG-GPU-5c89852c/1/0"]),
        ("1,-1,0", ["1"]),
        *((hidden, []) for hidden in ("", "-1", "NoDevFiles", "none")),
    ],
)
def test_the_variable_lists_the_gpus_if_it_is_set(value, expected, tmp_path):
    install_nvidia_smi(tmp_path, f"cat <<'END'\n{TWO_GPUS}END")
    assert list_devices({"CUDA_VISIBLE_DEVICES": value}) == expected


def test_otherwise_the_driver_lists_them(tmp_path):
    install_nvidia_smi(tmp_path, f"cat <<'END'\n{TWO_GPUS}END")
    assert list_devices() == [
        "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f",
        "GPU-4404041a-04cf-1ccf-9e70-f139a9b1e23c",
    ]


def test_of_a_partitioned_gpu_its_parts_are_listed(tmp_path):
    install_nvidia_smi(tmp_path, f"cat <<'END'\n{PARTITIONED}END")
    assert list_devices() == [
        "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f",
        "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb",
        "GPU-4404041a-04cf-1ccf-9e70-f139a9b1e23c",
    ]


def test_without_the_drivers_tool_its_files_list_them(tmp_path):
    for bus, uuid in (("0000:00:05.0", "GPU-b"), ("0000:00:04.0", "GPU-a")):
        folder = tmp_path / "proc" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t Tesla T4\nGPU UUID: \t {uuid}\n")
    assert list_devices() == ["GPU-a", "GPU-b"]


def test_a_tool_that_fails_or_hangs_is_a_machine_without_gpus(tmp_path, monkeypatch):
    assert list_devices() == []
    monkeypatch.setattr(_devices, "LISTING_SECONDS", 0.05)
    install_nvidia_smi(tmp_path, "exec sleep 20")
    assert list_devices() == []
    (tmp_path / "nvidia-smi").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list_devices() == []


@pytest.mark.parametrize(
    ("n_jobs", "devices", "per_job", "per_device", "expected"),
    [
        ("auto", "", 1, 3, (1, [])),
        ("auto", "a b", 1, 1, (2, ["a", "b"])),
        ("auto", "a b", 1, 3, (6, ["a", "b"])),
        ("auto", "a b c d e", 2, 1, (2, ["a,b", "c,d"])),
        ("auto", "a", 2, 1, (1, [])),
        (4, "", 1, 1, (4, [])),
        (3, "a b", 1, 1, (3, ["a", "b"])),
        (1, "a b", 1, 5, (1, ["a", "b"])),
    ],
)
def test_auto_fills_the_gpus_and_a_number_stays(n_jobs, devices, per_job, per_device, expected):
    plan = plan_workers(n_jobs, devices.split(), per_job, per_device)
    assert (plan.n_jobs, list(plan.device_groups)) == expected


def test_slots_take_the_gpus_in_turn_and_nothing_is_set_without_gpus():
    groups = ("GPU-a,GPU-b", "2,3")
    assert [device_environment(groups, slot)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == [
        "GPU-a,GPU-b",
        "2,3",
        "GPU-a,GPU-b",
    ]
    assert device_environment((), 1) == {}


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (WorkerPlan(2), ""),
        (WorkerPlan(2, ("a", "b")), "2 workers on 2 GPUs, 1 job on each"),
        (WorkerPlan(1, ("a", "b")), "1 worker on 1 GPU, 1 job on each"),
        (WorkerPlan(3, ("a", "b")), "3 workers on 2 GPUs, at most 2 jobs on each"),
        (WorkerPlan(2, ("a,b", "c,d")), "2 workers on 4 GPUs, 1 job on each"),
    ],
)
def test_the_plan_says_how_many_jobs_share_a_gpu(plan, line):
    assert plan.describe() == line
