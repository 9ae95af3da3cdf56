"""Create `be4673b.tar.xz`: outputs as framesweep wrote them at commit be4673b.

The archive guards everything that users have on disk from that time; see the test
`tests/e2e/test_earlier_outputs.py`. It must be created at exactly that commit, before the
package was restructured, with the Python environment of the time:

    git worktree add /tmp/framesweep-be4673b be4673b
    python tests/earlier_outputs/create.py /tmp/framesweep-be4673b

It holds, all made by the commands that a user types:

    a finished run       an MLP trained for two epochs, with its logged pyfunc model
    an interrupted run   Ctrl-C within an epoch; averaged weights, plateau schedule, masks
    a TDNN run           its epochs are made of runs of neighboring frames
    a study              three trials, their MLflow parent, plots, and a comparison over seeds
    an ablation study    one of two trials over the config group `lever`
    a prepared store     in outputs/cache
    expected values      metrics, predictions, and what resuming the runs gave

Pictures are left out because they are large and nothing reads them; so are locks.
"""

import contextlib
import csv
import json
import lzma
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contents import ARCHIVE, CREATED_IN, EarlierOutputs, store_name

COMMIT = "be4673b"
HOME = Path(CREATED_IN)
NAMES = ("SIL", "AA", "B", "CH", "D")
LENGTHS = {"train": (90, 60, 75), "dev": (50, 40), "test": (30, 20)}
FEATURE_DIM = 6
YEAR_2026 = 1_767_225_600

SMALL = [
    *("data=hw1p2", f"data.root={HOME}/corpus", "optim.lr=0.01"),
    *("hardware=cpu", "hardware.threads=1", "hardware.precision=fp32"),
]
FINISHED = "data.context=2 model.widths=[8] train.batch_size=32 train.epochs=2"
INTERRUPTED = (
    "data.context=2 model.widths=[8] model.activation=gelu train.batch_size=2 "
    "train.epochs=100000 train.average=ema train.ema_decay=0.9 optim=adamw "
    "optim.schedule=plateau optim.label_smoothing=0.1 augment=specaugment"
)
TDNN = (
    "model=tdnn model.channels=8 model.dilations=[1,1] model.run_frames=8 model.stride=2 "
    "data.context=2 train.batch_size=16 train.epochs=2 tracking.log_model=false"
)
STUDY = (
    "-m sweep=optuna 'data.context=choice(1,2)' 'model.width=choice(4,8)' model.depth=1 "
    "model.shape=cylinder 'model.dropout=interval(0.0,0.3)' train.batch_size=32 train.epochs=2 "
    "hydra.sweeper.n_trials=3"
)
ABLATION = (
    "-m sweep=ablation 'lever=choice(none,relu)' seed=0 data.context=2 model.conv_channels=[] "
    "model.widths=[8] train.batch_size=32 train.epochs=1 hydra.sweeper.n_trials=1"
)


class Commands:
    """Runs the commands of a checkout in HOME."""

    def __init__(self, checkout: Path) -> None:
        self._train = [sys.executable, str(checkout / "train.py")]
        main = "import sys; from framesweep.cli import main; sys.exit(main())"
        self._framesweep = [sys.executable, "-c", main]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("FRAMESWEEP_")},
            "PYTHONPATH": str(checkout / "src"),
            "OMP_NUM_THREADS": "1",
            "LOGNAME": "someone",
        }

    def train(self, line: str) -> str:
        """Run `python train.py`, and return the MLflow id of the run."""
        output = self._run([*self._train, *SMALL, *shlex.split(line)])
        return "".join(re.findall(r"^run: ([0-9a-f]{32})", output, re.MULTILINE)[:1])

    def resume(self, *arguments: str) -> None:
        """Run `python train.py resume=...`."""
        self._run([*self._train, *arguments])

    def framesweep(self, *arguments: str) -> str:
        """Run `framesweep`, and return what it prints."""
        return self._run([*self._framesweep, *arguments])

    def interrupt(self, line: str, text: str) -> str:
        """Send Ctrl-C once the run has printed `text`, and return its id."""
        process = subprocess.Popen(
            [*self._train, *SMALL, *shlex.split(line)],
            cwd=HOME,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        printed = ""
        while text not in printed:
            printed += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
        found = re.search(r"train\.py resume=(\w+)", rest)
        assert process.returncode == 130, rest
        assert found, rest
        return found.group(1)

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=HOME,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        print(done.stdout)
        return done.stdout


def write_corpus(root: Path) -> None:
    """Write a corpus in HW1P2's format; phones differ in their means, so they can be learnt."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(11)
    means = rng.normal(size=(len(NAMES), FEATURE_DIM))
    for split, lengths in LENGTHS.items():
        features, labels = np.empty((2, len(lengths)), dtype=object)
        for index, length in enumerate(lengths):
            labels[index] = np.repeat(rng.integers(0, len(NAMES), size=length // 5), 5)
            noise = rng.normal(size=(length, FEATURE_DIM), scale=0.4)
            features[index] = (means[labels[index].astype(int)] + noise).astype(np.float32)
        np.save(root / f"{split}.npy", features, allow_pickle=True)
        if split != "test":
            np.save(root / f"{split}_labels.npy", labels, allow_pickle=True)
    lines = [f"{name} {index}\n" for index, name in enumerate(NAMES)]
    (root / "phonemes.txt").write_text("".join(lines))
    for path in root.iterdir():  # whole seconds, which every archive keeps
        os.utime(path, (YEAR_2026, YEAR_2026))


def create(commands: Commands, outputs: EarlierOutputs) -> dict[str, Any]:
    """Run all commands, and return the ids and values that the test compares with."""
    ids = {
        "finished": commands.train(FINISHED),
        "interrupted": commands.interrupt(INTERRUPTED, "epoch 2/"),
        "tdnn": commands.train(TDNN),
    }
    assert _step(outputs, ids["interrupted"]) > 0, "interrupted between epochs; create again"
    commands.train(STUDY)
    commands.train(ABLATION)
    studies = _studies(outputs)
    study = next(name for name in studies if "dropout" in name)
    commands.framesweep("best", study, "--top", "2", "--seeds", "2")
    assert outputs.prepared.name == store_name(outputs.corpus)
    return {
        "commit": COMMIT,
        "runs": ids,
        "commands": {
            "study": [*SMALL, *shlex.split(STUDY)],
            "ablation": [*SMALL, *shlex.split(ABLATION)],
        },
        "studies": {"study": study, "ablation": next(n for n in studies if n != study)},
        "parents": {name: _parent(outputs, name) for name in studies},
        "trials": {name: _trials(outputs, name) for name in studies},
        "metrics": {name: outputs.metrics(run_id) for name, run_id in ids.items()},
        "evaluated": {name: _evaluate(commands, run_id) for name, run_id in ids.items()},
        "predicted": {name: _predict(commands, run_id) for name, run_id in ids.items()},
        "best": commands.framesweep("best", study),
        "compared": commands.framesweep("compare", ids["finished"], ids["tdnn"]),
        "pyfunc": _ask_model(commands, outputs, ids["finished"]),
    }


def resume_all(
    commands: Commands, outputs: EarlierOutputs, ids: dict[str, str]
) -> dict[str, Any]:
    """Resume each run for two epochs more, and return the metrics of all epochs."""
    resumed = {}
    for name, run_id in ids.items():
        epochs = 2 + max(outputs.metrics(run_id)["train/loss"])
        commands.resume(f"resume={run_id}", f"train.epochs={epochs}")
        resumed[name] = {"epochs": epochs, "metrics": outputs.metrics(run_id)}
    return resumed


def _step(outputs: EarlierOutputs, run_id: str) -> int:
    """Return the steps that the run's checkpoint has taken in its epoch."""
    path = outputs.run_directory(run_id) / "checkpoints" / "last.pt"
    return int(torch.load(path, weights_only=True)["progress"]["step"])


def _studies(outputs: EarlierOutputs) -> list[str]:
    database = outputs.outputs / "studies.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("select study_name from studies")]


def _parent(outputs: EarlierOutputs, study: str) -> str:
    sql = (
        "select run_uuid from tags where key = 'study' and value = ? and run_uuid not in "
        "(select run_uuid from tags where key = 'trial')"
    )
    ((run_id,),) = outputs.query(sql, study)
    return str(run_id)


def _trials(outputs: EarlierOutputs, study: str) -> list[dict[str, str]]:
    """The rows of the study's trials.csv, without the seconds that they took."""
    with (outputs.outputs / "sweeps" / study / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: row[key] for key in row if key != "seconds"} for row in rows]


def _evaluate(commands: Commands, run_id: str) -> dict[str, float] | None:
    if not _has_model(run_id):
        return None
    lines = commands.framesweep("evaluate", run_id, "--split", "dev").splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines}


def _predict(commands: Commands, run_id: str) -> list[int] | None:
    if not _has_model(run_id):
        return None
    path = HOME / "predictions.csv"
    commands.framesweep("predict", run_id, "--split", "test", "--out", str(path))
    with path.open(newline="") as file:
        predictions = [int(row["label"]) for row in csv.DictReader(file)]
    path.unlink()
    return predictions


def _has_model(run_id: str) -> bool:
    return (EarlierOutputs(HOME).run_directory(run_id) / "model").exists()


def _ask_model(commands: Commands, outputs: EarlierOutputs, run_id: str) -> dict[str, Any]:
    """Return the logged model's folder, an input, and the phones it gives for it."""
    sql = "select artifact_location from logged_models where source_run_id = ?"
    ((location,),) = outputs.query(sql, run_id)
    features = np.load(outputs.corpus / "test.npy", allow_pickle=True)[0]
    script = (
        "import json, mlflow, numpy as np, sys; "
        "model = mlflow.pyfunc.load_model(sys.argv[1]); "
        "features = np.array(json.load(sys.stdin), dtype=np.float32); "
        "print(json.dumps(model.predict(features).tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, location],
        cwd=HOME,
        env=commands._environment,
        input=json.dumps(features.tolist()),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {
        "folder": location,
        "features": features.tolist(),
        "phones": json.loads(done.stdout.splitlines()[-1]),
    }


def write_archive() -> None:
    """Write HOME as an archive in which all but the contents is always the same."""

    def normalized(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = YEAR_2026
        return member

    for database in HOME.glob("outputs/*.db"):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("vacuum")
    for path in [*HOME.rglob(".*.lock"), *HOME.rglob("*.png")]:
        path.unlink()
    with (
        lzma.open(ARCHIVE, "wb", preset=9 | lzma.PRESET_EXTREME) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(HOME.iterdir()):
            archive.add(path, path.name, filter=normalized)


def main(checkout: Path) -> None:
    """Create the outputs with the checkout's code, and archive them."""
    found = subprocess.check_output(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], text=True
    )
    if not found.startswith(COMMIT):
        sys.exit(f"{checkout}: must be a checkout of {COMMIT}; found {found.strip()}")
    shutil.rmtree(HOME, ignore_errors=True)
    write_corpus(HOME / "corpus")
    commands, outputs = Commands(checkout), EarlierOutputs(HOME)
    values = create(commands, outputs)
    untouched = HOME.with_name(f"{HOME.name}-untouched")
    shutil.rmtree(untouched, ignore_errors=True)
    shutil.copytree(HOME, untouched)
    values["resumed"] = resume_all(commands, outputs, values["runs"])
    shutil.rmtree(HOME)
    untouched.rename(HOME)
    (HOME / "expected").mkdir()
    text = json.dumps(values, indent=1)
    (HOME / "expected" / "expected.json").write_text(text, encoding="utf-8")
    write_archive()
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
