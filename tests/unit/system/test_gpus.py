"""GPUs that the machine has and torch cannot use, with a script as the driver's tool."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from framesweep.system import gpus
from framesweep.system.gpus import Gpu, can_run, detect_gpu, find_gpu_problem

CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.fixture(autouse=True)
def machine_without_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER_FILES", tmp_path / "proc")
    monkeypatch.setattr(gpus, "DEVICE_FILES", tmp_path / "dev")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "dev").mkdir()
    _install(tmp_path, "exit 9")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Return a function that makes torch say which build it is."""

    def set_build(version: str, cuda: str | None) -> None:
        monkeypatch.setattr(torch, "__version__", version)
        monkeypatch.setattr(torch.version, "cuda", cuda)

    return set_build


def _install(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_a_machine_without_gpus_has_no_problem(tmp_path: Path) -> None:
    assert detect_gpu() is None
    assert find_gpu_problem() is None
    _install(tmp_path, "echo No devices were found")
    assert detect_gpu() is None


def test_a_gpu_is_found_by_the_drivers_tool(tmp_path: Path) -> None:
    _install(tmp_path, "echo 'NVIDIA H100 80GB HBM3, 535.104.05\nTesla T4, 535.104.05'")
    assert detect_gpu() == Gpu("NVIDIA H100 80GB HBM3", "535.104.05")


def test_a_gpu_is_found_by_the_drivers_files(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / "gpus" / "0000:00:04.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t\t Tesla T4\nIRQ: 1\n")
    (tmp_path / "proc" / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n"
    )
    assert detect_gpu() == Gpu("Tesla T4", "550.54.15")


def test_a_gpu_is_found_by_its_device_file(tmp_path: Path) -> None:
    (tmp_path / "dev" / "nvidiactl").touch()
    assert detect_gpu() is None
    (tmp_path / "dev" / "nvidia0").touch()
    assert detect_gpu() == Gpu("an NVIDIA GPU", "")


def test_a_build_without_cuda_is_named(tmp_path: Path, build: Callable[..., None]) -> None:
    _install(tmp_path, "echo 'Tesla T4, 580.82.07'")
    build("2.13.0+cpu", None)
    problem = find_gpu_problem()
    assert problem is not None
    assert problem.gpu == "Tesla T4"
    assert problem.reason == "torch 2.13.0+cpu was built without CUDA"
    assert problem.fix.startswith("Install a build of torch with CUDA; docs/hw1p2.md ")


@pytest.mark.parametrize(
    ("driver", "cuda", "too_old"),
    [
        ("550.54.15", "13.0", "580.65"),
        ("580.65.06", "13.0", None),
        ("580.64", "13.0", "580.65"),
        ("470.82.01", "12.6", "525.60"),
        ("550.54.15", "12.8", None),
        ("700.10", "14.1", None),
        ("", "13.0", None),
    ],
)
def test_a_driver_that_is_too_old_for_torch_is_named(
    tmp_path: Path,
    build: Callable[..., None],
    driver: str,
    cuda: str,
    too_old: str | None,
) -> None:
    _install(tmp_path, f"echo 'Tesla T4, {driver}'")
    build("2.13.0", cuda)
    problem = find_gpu_problem()
    assert problem is not None
    if too_old is None:
        assert problem.reason == f"torch 2.13.0 for CUDA {cuda} cannot initialize it"
    else:
        assert problem.reason == (
            f"its driver {driver} is too old for torch 2.13.0, which was built for CUDA {cuda} "
            f"and requires driver {too_old}"
        )
        assert problem.fix.startswith("Update the driver, or install a build of torch")


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
def test_gpus_that_the_user_hides_are_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    _install(tmp_path, "echo 'Tesla T4, 580.82.07'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert find_gpu_problem() is None


def test_missing_kernels_are_named(
    monkeypatch: pytest.MonkeyPatch, build: Callable[..., None]
) -> None:
    build("2.13.0", "13.0")
    capability = (6, 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla P100-PCIE-16GB")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: CUDA_13)
    problem = find_gpu_problem()
    assert problem is not None
    assert problem.gpu == "Tesla P100-PCIE-16GB"
    assert problem.reason == (
        "torch 2.13.0 has no kernels for its compute capability 6.0, only " + " ".join(CUDA_13)
    )
    capability = (7, 5)
    assert find_gpu_problem() is None
    capability = (6, 0)
    monkeypatch.setattr(torch.version, "hip", "7.0")  # AMD's architectures are named otherwise
    assert find_gpu_problem() is None


@pytest.mark.parametrize(
    ("capability", "built_for", "expected"),
    [
        ((7, 0), CUDA_13, False),
        ((8, 9), CUDA_13, True),
        ((8, 0), ["sm_86"], False),
        ((12, 1), CUDA_13, True),
        ((13, 0), CUDA_13, True),
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a"], False),
        ((10, 3), ["sm_100f"], True),
        ((12, 0), ["compute_100f"], False),
        ((11, 0), ["compute_90a"], False),
        ((6, 0), [], True),
        ((6, 0), ["gfx90a"], True),
    ],
)
def test_kernels_run_on_the_gpus_that_nvidias_rules_allow(
    capability: tuple[int, int], built_for: list[str], expected: bool
) -> None:
    assert can_run(capability, built_for) is expected
