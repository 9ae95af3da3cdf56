"""Why torch cannot use an NVIDIA GPU that the machine has."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import torch

from hydra_plugins.framesweep_sweeper.workers import VISIBLE, read_visible

QUERY = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
QUERY_SECONDS = 30.0
"""How long to wait for nvidia-smi, which takes seconds where the driver is not loaded yet."""
DRIVER_FILES = Path("/proc/driver/nvidia")
DEVICE_FILES = Path("/dev")
MIN_DRIVERS = {11: (450, 80), 12: (525, 60), 13: (580, 65)}
"""The oldest Linux driver for each major version of CUDA, from the table of minor version
compatibility in the release notes of the CUDA toolkit."""
ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")
HELP = "docs/hw1p2.md explains how to install a suitable torch, which may be any from 2.9 on"


class Gpu(NamedTuple):
    """An NVIDIA GPU of this machine, found without torch.

    Attributes:
        name: Its model.
        driver: The version of its driver, empty if that is unknown.
    """

    name: str
    driver: str


class GpuProblem(NamedTuple):
    """Why torch cannot use the GPU of this machine.

    Attributes:
        gpu: The model of the GPU.
        reason: What torch lacks, as a sentence without its full stop.
        fix: What to do about it, as a sentence.
    """

    gpu: str
    reason: str
    fix: str


def find_gpu_problem() -> GpuProblem | None:
    """Return why torch cannot use the GPU; None if it can, or if there is none to be used."""
    if torch.cuda.is_available():
        return _find_missing_kernels()
    if are_gpus_hidden():
        return None
    gpu = detect_gpu()
    return None if gpu is None else _explain_unavailable(gpu)


def are_gpus_hidden() -> bool:
    """Return whether CUDA_VISIBLE_DEVICES is set to a value that hides all GPUs."""
    value = os.environ.get(VISIBLE)
    return value is not None and not read_visible(value)


def detect_gpu() -> Gpu | None:
    """Return the first NVIDIA GPU by the driver's tool or files, or None if there is none."""
    return _ask_nvidia_smi() or _read_driver_files() or _find_device_file()


def _ask_nvidia_smi() -> Gpu | None:
    try:
        lines = subprocess.run(
            QUERY, capture_output=True, text=True, timeout=QUERY_SECONDS, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    name, comma, driver = (lines or [""])[0].rpartition(",")
    return Gpu(name.strip(), driver.strip()) if comma else None


def _read_driver_files() -> Gpu | None:
    try:
        texts = [path.read_text() for path in DRIVER_FILES.glob("gpus/*/information")]
        version = (DRIVER_FILES / "version").read_text() if texts else ""
    except OSError:
        return None
    if not texts:
        return None
    name = re.search(r"^Model:\s*(.+?)\s*$", texts[0], re.MULTILINE)
    driver = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", version)
    return Gpu(name[1] if name else "an NVIDIA GPU", driver[0] if driver else "")


def _find_device_file() -> Gpu | None:
    found = any(path.name[6:].isdigit() for path in DEVICE_FILES.glob("nvidia[0-9]*"))
    return Gpu("an NVIDIA GPU", "") if found else None


def _explain_unavailable(gpu: Gpu) -> GpuProblem:
    cuda = torch.version.cuda
    if cuda is None:
        reason = f"torch {torch.__version__} was built without CUDA"
        return GpuProblem(gpu.name, reason, f"Install a build of torch with CUDA; {HELP}.")
    needed = MIN_DRIVERS.get(int(cuda.split(".")[0]))
    if needed is not None and gpu.driver and _version(gpu.driver) < needed:
        least = ".".join(map(str, needed))
        return GpuProblem(
            gpu.name,
            f"its driver {gpu.driver} is too old for torch {torch.__version__}, which was "
            f"built for CUDA {cuda} and requires driver {least}",
            f"Update the driver, or install a build of torch for an older CUDA; {HELP}.",
        )
    return GpuProblem(
        gpu.name,
        f"torch {torch.__version__} for CUDA {cuda} cannot initialize it",
        "python -c 'import torch; torch.zeros(1).cuda()' prints the reason.",
    )


def _find_missing_kernels() -> GpuProblem | None:
    """Return a problem if torch has no kernels for the selected GPU.

    Such a torch reports that CUDA is available, and fails with the first kernel.
    """
    built_for = torch.cuda.get_arch_list()
    major, minor = torch.cuda.get_device_capability()
    if torch.version.hip or can_run((major, minor), built_for):
        return None
    return GpuProblem(
        torch.cuda.get_device_name(),
        f"torch {torch.__version__} has no kernels for its compute capability {major}.{minor}, "
        f"only {' '.join(built_for)}",
        f"Install a build of torch that has them; {HELP}.",
    )


def can_run(capability: tuple[int, int], built_for: list[str]) -> bool:
    """Return whether kernels built for these architectures run on a GPU.

    Machine code (sm_86) runs on GPUs of the same major and the same or a later minor version;
    intermediate code (compute_90) is compiled for any later GPU. With the suffix a, either runs
    on that very architecture only, and with f, on its family, the same major version. Without
    any known architecture, as in a build of one's own, the answer is yes.
    """
    found = [ARCHITECTURE.fullmatch(name) for name in built_for]
    known = [match.groups() for match in found if match is not None]
    return not known or any(_runs(capability, *parts) for parts in known)


def _runs(capability: tuple[int, int], kind: str, major: str, minor: str, suffix: str) -> bool:
    built = (int(major), int(minor))
    if suffix == "a":
        return capability == built
    same_family = capability[0] == built[0]
    return capability >= built and (same_family or (kind == "compute" and not suffix))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
