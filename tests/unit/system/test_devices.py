"""The device that a run takes, and what it says of one that it cannot take."""

import logging
from collections.abc import Iterator

import pytest
import torch

from framesweep.errors import ConfigError
from framesweep.system import devices
from framesweep.system.devices import resolve_device
from framesweep.system.gpus import GpuProblem

TOO_OLD = GpuProblem("Tesla T4", "its driver is too old", "Update the driver.")


@pytest.fixture(autouse=True)
def selected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Yield the GPUs that have been selected; the machine has none at first."""
    chosen: list[int] = []
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    _give_gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(devices, "find_gpu_problem", lambda: None)
    devices._warn_once.cache_clear()
    yield chosen
    devices._warn_once.cache_clear()


def _give_gpus(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)


@pytest.mark.parametrize("gpus", [0, 1])
def test_auto_warns_once_of_a_gpu_that_torch_cannot_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, gpus: int
) -> None:
    """torch says that it has CUDA if only the kernels are missing, otherwise not."""
    _give_gpus(monkeypatch, gpus)
    monkeypatch.setattr(devices, "find_gpu_problem", lambda: TOO_OLD)
    with caplog.at_level(logging.WARNING):
        assert [resolve_device("auto", 1).type for _ in range(3)] == ["cpu"] * 3
    (line,) = caplog.messages
    assert line == (
        "warning: the Tesla T4 of this machine is not used: its driver is too old. "
        "Update the driver. hardware=cpu hides this warning."
    )


def test_further_processes_of_a_run_do_not_repeat_the_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(devices, "find_gpu_problem", lambda: TOO_OLD)
    monkeypatch.setenv("RANK", "1")
    assert resolve_device("auto", 1).type == "cpu"
    assert caplog.messages == []


def test_the_cpu_is_taken_silently_if_it_is_requested_or_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert resolve_device("auto", 1).type == "cpu"
    monkeypatch.setattr(devices, "find_gpu_problem", lambda: TOO_OLD)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("CUDA was asked"))
    assert resolve_device("cpu", 4).type == "cpu"
    assert caplog.messages == []


@pytest.mark.parametrize("gpus", [0, 1])
def test_cuda_that_cannot_work_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, gpus: int
) -> None:
    _give_gpus(monkeypatch, gpus)
    monkeypatch.setattr(devices, "find_gpu_problem", lambda: TOO_OLD)
    with pytest.raises(ConfigError) as raised:
        resolve_device("cuda", 1)
    assert str(raised.value) == (
        "hardware.device: must be a device that torch can use, but for the Tesla T4 of this "
        "machine, its driver is too old; found 'cuda'. Update the driver."
    )
    assert raised.value.exit_code == 2


def test_hidden_gpus_are_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES hides all GPUs: unset it"):
        resolve_device("cuda", 1)


@pytest.mark.parametrize(
    ("rank", "processes", "gpus", "expected"),
    [
        (None, 1, 2, []),
        (None, 2, 2, [0]),
        ("1", 2, 2, [1]),
        ("1", 1, 4, [1]),
        ("0", 1, 1, [0]),
        ("1", 1, 1, [0]),  # torchrun or srun shows each process only its own GPU
    ],
)
@pytest.mark.parametrize("requested", ["auto", "cuda"])
def test_each_process_selects_its_gpu(
    monkeypatch: pytest.MonkeyPatch,
    selected: list[int],
    requested: str,
    rank: str | None,
    processes: int,
    gpus: int,
    expected: list[int],
) -> None:
    _give_gpus(monkeypatch, gpus)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert resolve_device(requested, processes).type == "cuda"
    assert selected == expected


@pytest.mark.parametrize(
    ("rank", "processes", "gpus", "found"),
    [(None, 2, 1, 2), ("1", 2, 1, 2), (None, 3, 2, 3), ("4", 1, 2, 5)],
)
def test_more_processes_than_gpus_are_refused(
    monkeypatch: pytest.MonkeyPatch, rank: str | None, processes: int, gpus: int, found: int
) -> None:
    _give_gpus(monkeypatch, gpus)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    rule = (
        f"^hardware.processes: must be at most the number of GPUs of .* {gpus}; found {found}"
    )
    with pytest.raises(ConfigError, match=rule):
        resolve_device("auto", processes)


@pytest.mark.parametrize("name", ["mps", "xpu"])
def test_several_processes_are_refused_where_they_cannot_train_together(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = torch.backends.mps if name == "mps" else torch.xpu
    monkeypatch.setattr(module, "is_available", lambda: True)
    assert resolve_device(name, 1).type == name
    assert resolve_device("auto", 1).type == name
    with pytest.raises(ConfigError, match=f"hardware.processes: must be 1 on this {name}"):
        resolve_device(name, 2)
