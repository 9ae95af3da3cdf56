"""A small Hydra application to sweep over: it reports, checkpoints, and fails on request."""

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
WAYS = ("memory", "nan", "exception", "kill", "nan_value", "text")
ConfigStore.instance().store("app", CONFIG)


class OtherLauncher(BasicLauncher):
    """Runs jobs in the sweeper's own process: stands for every launcher but the basic one."""


Plugins.instance().register(OtherLauncher)
ConfigStore.instance().store(
    group="hydra/launcher", name="other", node={"_target_": f"{__name__}.OtherLauncher"}
)


class Stopped(Exception):  # noqa: N818
    """Raised on SIGTERM, after the checkpoint."""

    exit_code = 143


@hydra.main(config_path=None, config_name="app")
def main(config: DictConfig) -> float | str | None:
    directory = Path(HydraConfig.get().runtime.output_dir)
    trial = current_trial()
    number = trial.number if trial else 0
    print("threads", os.environ.get("OMP_NUM_THREADS"), "pid", os.getpid())
    with (directory / "starts.log").open("a") as file:
        print(time.time(), os.getpid(), trial.attempt if trial else 0, file=file)
    how = WAYS[number % len(WAYS)] if config.fail == "each" else config.fail
    stop: list[int] = []
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda signum, frame: stop.append(signum))
    state = directory / "checkpoint.json"
    done = json.loads(state.read_text())["epoch"] if state.exists() else 0
    restore({epoch: value_at(config, epoch) for epoch in range(1, done + 1)})
    for epoch in range(done + 1, config.epochs + 1):
        time.sleep(config.seconds)
        with (directory / "epochs.log").open("a") as file:
            print(epoch, file=file)
        write(state, {"epoch": epoch})
        report(value_at(config, epoch), epoch)
        if stop:
            raise Stopped("stopped by SIGTERM")
        if config.fail and number % config.every == config.every - 1:
            fail(how)
    with (directory / "ends.log").open("a") as file:
        print(time.time(), os.getpid(), file=file)
    return {"nan_value": float("nan"), "text": "good"}.get(how, value_at(config, config.epochs))


def value_at(config: DictConfig, epoch: int) -> float:
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
