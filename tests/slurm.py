"""A real Slurm cluster for tests: one node on the loopback interface, until the test ends."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from servers import PAUSE, free_port, start_daemon, wait_until

SECONDS = 60
CPUS = 4
GRACE = 60
"""Seconds that a preempted job has before it is killed."""

# Credentials expire soon, because a requeued job is held back for as long as they are valid.
CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=1,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime={grace} MaxTime=INFINITE
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE
"""


class Slurm:
    """A controller and one node of CPUS processors; jobs of `high` preempt those of `low`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self._daemons: list[subprocess.Popen] = []
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(
            CONFIG.format(
                host=socket.gethostname(),
                user="root" if os.geteuid() == 0 else os.environ["USER"],
                folder=self.folder,
                controller_port=free_port(),
                node_port=free_port(),
                cpus=CPUS,
                grace=GRACE,
            )
        )
        self.environment = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def start(self) -> None:
        """Start all daemons, and wait until the node accepts jobs."""
        key, socket_path = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        paths = [f"--{n}-file={self.folder}/munge.{n}" for n in ("pid", "log", "seed")]
        command = ["munged", "--foreground", "--force", f"--key-file={key}", *paths]
        self._start([*command, f"--socket={socket_path}"], socket_path.exists)
        self._start(["slurmctld", "-D"], lambda: "UP" in self.run("scontrol", "ping"))
        self._start(["slurmd", "-D"], lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"))

    def run(self, *command: str) -> str:
        """Return what one of Slurm's commands prints."""
        environment = {**os.environ, **self.environment}
        result = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return result.stdout

    def jobs(self) -> dict[str, str]:
        """Return the state of each unfinished job by its id."""
        lines = self.run("squeue", "-h", "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("scancel", "--signal=KILL", "--full", "--user", "root", "--state=RUNNING")
            self.run("scancel", "--user", "root")
            end = time.monotonic() + SECONDS
            while self._daemons and self.jobs() and time.monotonic() < end:
                time.sleep(PAUSE)
        for process in reversed(self._daemons):
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
        shutil.rmtree(self.folder)

    def _start(self, command: list[str], ready: Callable[[], bool]) -> None:
        log = self.folder / f"{command[0]}.out"
        environment = {**os.environ, **self.environment}
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program, f"{command[0]} is not installed; .ci/packages installs it"
        process = start_daemon([program, *command[1:]], log, env=environment)
        self._daemons.append(process)
        wait_until(ready, process, log)


@contextlib.contextmanager
def slurm() -> Iterator[Slurm]:
    """Yield a running cluster."""
    cluster = Slurm()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
