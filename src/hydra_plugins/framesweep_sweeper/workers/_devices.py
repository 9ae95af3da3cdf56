"""Which GPUs the local workers use: each slot gets its own through CUDA_VISIBLE_DEVICES.

Without this, every worker would use the first GPU of the machine. The GPUs are found without
any library that the jobs use: in CUDA_VISIBLE_DEVICES, which a scheduler or the user has set,
or else from the driver. Their names are passed on as they are, whether they are numbers, UUIDs
or MIG devices: numbers mean the same to a worker as to the sweeper, whose CUDA_DEVICE_ORDER it
inherits, and the driver's UUIDs do not depend on that order.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
LISTING = ("nvidia-smi", "-L")
LISTING_SECONDS = 30.0
"""How long to wait for nvidia-smi, which takes seconds where the driver is not loaded yet."""
GPU_UUID = re.compile(r"^GPU \d+:.*\(UUID: (GPU-[^)]+)\)")
MIG_UUID = re.compile(r"^\s+MIG .*\(UUID: (MIG-[^)]+)\)")
PROC_GPUS = Path("/proc/driver/nvidia/gpus")
"""Directories of the driver, one per GPU, for machines without nvidia-smi."""
PROC_UUID = re.compile(r"^GPU UUID:\s*(GPU-[0-9a-fA-F-]+)", re.MULTILINE)


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers a sweep has, and which GPUs each of them uses.

    Attributes:
        n_jobs: the number of slots.
        device_groups: the values of CUDA_VISIBLE_DEVICES that the slots take in turn; empty to
            leave the variable as it is.
    """

    n_jobs: int
    device_groups: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return a line about the workers and their GPUs, empty without GPUs."""
        if not self.device_groups:
            return ""
        used = self.device_groups[: self.n_jobs]
        gpus = sum(len(group.split(",")) for group in used)
        most = -(-self.n_jobs // len(used))
        at_most = "" if self.n_jobs % len(used) == 0 else "at most "
        jobs = "job" if most == 1 else "jobs"
        workers, noun = ("worker", "workers")[self.n_jobs > 1], ("GPU", "GPUs")[gpus > 1]
        return f"{self.n_jobs} {workers} on {gpus} {noun}, {at_most}{most} {jobs} on each"


def plan_workers(
    n_jobs: int | str, devices: Sequence[str], devices_per_job: int, jobs_per_device: int
) -> WorkerPlan:
    """Divide GPUs among workers.

    Slot n uses group n modulo the number of groups, so that the load is even if there are more
    workers than groups, and so that a restarted worker gets the GPUs of the one it replaces.

    Args:
        n_jobs: the number of workers; "auto" for `jobs_per_device` of them per group of GPUs,
            or one on a machine that has too few GPUs for a group.
        devices: the names of the GPUs.
        devices_per_job: the number of GPUs that a job uses.
        jobs_per_device: the number of jobs that share a group of GPUs, for "auto".
    """
    num_groups = len(devices) // devices_per_job
    groups = tuple(
        ",".join(devices[i * devices_per_job : (i + 1) * devices_per_job])
        for i in range(num_groups)
    )
    workers = max(1, num_groups * jobs_per_device) if n_jobs == "auto" else int(n_jobs)
    return WorkerPlan(workers, groups)


def device_environment(groups: Sequence[str], slot: int) -> dict[str, str]:
    """Return the variables that give a slot its GPUs; none if there are no groups."""
    return {VISIBLE: groups[slot % len(groups)]} if groups else {}


def list_devices(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the NVIDIA GPUs that this process may use, in their order."""
    if VISIBLE in environment:
        return read_visible(environment[VISIBLE])
    return _list_with_nvidia_smi() or _list_in_proc()


def read_visible(value: str) -> list[str]:
    """Return the entries of CUDA_VISIBLE_DEVICES; as in CUDA, the first invalid one ends it."""
    names: list[str] = []
    for name in (entry.strip() for entry in value.split(",")):
        if not (name.isdigit() or name.startswith(("GPU-", "MIG-"))):
            break
        names.append(name)
    return names


def _list_with_nvidia_smi() -> list[str]:
    """Return the UUIDs of GPUs; of one that is partitioned, those of its MIG devices.

    The output has a line per GPU, followed by one per MIG device of it:

        GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
          MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
    """
    try:
        listing = subprocess.run(
            LISTING, capture_output=True, text=True, timeout=LISTING_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    gpus: list[list[str]] = []
    for line in listing.splitlines():
        if found := GPU_UUID.match(line):
            gpus.append([found[1]])
        elif (found := MIG_UUID.match(line)) and gpus:
            gpus[-1].append(found[1])
    return [name for whole, *parts in gpus for name in (parts or [whole])]


def _list_in_proc() -> list[str]:
    try:
        texts = [path.read_text() for path in sorted(PROC_GPUS.glob("*/information"))]
    except OSError:
        return []
    return [uuid for text in texts for uuid in PROC_UUID.findall(text)]
