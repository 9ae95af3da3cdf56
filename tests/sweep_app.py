"""A small Hydra application for sweeps: it reports, writes checkpoints and fails on request.

It imports the sweeper and nothing of framesweep, so that it also runs where only the sweeper is
installed. Each trial's directory has a line in starts.log per attempt, a line in epochs.log per
epoch, and a line in ends.log once it is complete.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper import current_trial, report, restore

CONFIG = {
    "defaults": ["_self_", {"override hydra/sweeper": "framesweep"}],
    "x": 0.5,
    "kind": "plain",
    "momentum": None,
    "epochs": 3,
    "seconds": 0.01,
    "fail": "",
    "every": 1,
    "hydra": {
        "sweep": {
            "dir": "outputs/sweeps/${hydra.sweeper.study_name}",
            "subdir": "${hydra.job.num}",
        },
        "sweeper": {"direction": "maximize"},
    },
}
FAILURES = ("memory", "nan", "exception", "kill", "nan_value", "text")
ConfigStore.instance().store("app", CONFIG)
for _option in ("one", "two"):
    ConfigStore.instance().store(group="group", name=_option, node={"chosen": _option})


class OtherLauncher(BasicLauncher):
    """Runs jobs in the sweeper's own process. It stands for all but the basic launcher."""


Plugins.instance().register(OtherLauncher)
ConfigStore.instance().store(
    group="hydra/launcher", name="other", node={"_target_": f"{__name__}.OtherLauncher"}
)


class Stopped(Exception):  # noqa: N818
    """The application was stopped by SIGTERM, and has written its checkpoint."""

    exit_code = 143


@hydra.main(config_path=None, config_name="app")
def main(config: DictConfig) -> float | str | None:
    directory = Path(HydraConfig.get().runtime.output_dir)
    trial = current_trial()
    number = trial.number if trial else 0
    print("threads", os.environ.get("OMP_NUM_THREADS"), "pid", os.getpid())
    with (directory / "starts.log").open("a") as file:
        print(time.time(), os.getpid(), trial.attempt if trial else 0, file=file)
    how = FAILURES[number % len(FAILURES)] if config.fail == "each" else config.fail
    stop: list[int] = []
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda signum, frame: stop.append(signum))
    state = directory / "checkpoint.json"
    done = json.loads(state.read_text())["epoch"] if state.exists() else 0
    restore({epoch: compute_value(config, epoch) for epoch in range(1, done + 1)})
    for epoch in range(done + 1, config.epochs + 1):
        time.sleep(config.seconds)
        with (directory / "epochs.log").open("a") as file:
            print(epoch, file=file)
        write(state, {"epoch": epoch})
        report(compute_value(config, epoch), epoch)
        if stop:
            raise Stopped("stopped by SIGTERM")
        if config.fail and number % config.every == config.every - 1:
            fail(how)
    with (directory / "ends.log").open("a") as file:
        print(time.time(), os.getpid(), file=file)
    value = compute_value(config, config.epochs)
    answers: dict[str, float | str | None] = {"nan_value": float("nan"), "text": "good"}
    return answers.get(how, value)


def compute_value(config: DictConfig, epoch: int) -> float:
    return epoch / config.epochs * (1 - (config.x - 0.3) ** 2) + (config.momentum or 0)


def write(path: Path, state: dict[str, int]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


def fail(how: str) -> None:
    match how:
        case "memory":
            raise MemoryError("cannot allocate")
        case "nan":
            raise FloatingPointError("loss is nan")
        case "exception":
            raise ValueError("no good")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
