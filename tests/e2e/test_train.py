"""The main job as a user runs it."""

import csv
import json
import re
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from safetensors.numpy import load_file

SECONDS = 600
"""How long a run that was stopped may take to end, on a machine that is busy."""

RUN_LINE = re.compile(r"^run: ([0-9a-f]{32})", re.MULTILINE)


def run_id(output):
    return RUN_LINE.search(output).group(1)


def weights(directory):
    return load_file(directory / "checkpoints" / "best.safetensors")


def query(shell, sql):
    with sqlite3.connect(shell.folder / "outputs" / "mlflow.db") as connection:
        return connection.execute(sql).fetchall()


def tracked_metrics(shell):
    """(name, step) -> value of all metrics but speeds."""
    rows = query(shell, "select key, step, value from metrics where key not like '%per_second'")
    assert len({row[:2] for row in rows}) == len(rows), "a metric arrived twice"
    return {row[:2]: row[2] for row in rows}


def test_a_run_trains_predicts_and_is_evaluated(shell):
    shell.pictures = True
    output = shell.train(*shell.small).stdout
    assert re.search(r"best dev/accuracy 0\.\d+ \(epoch \d\), .* frames/s", output)
    assert "framesweep ui" in output
    (directory,) = shell.runs
    for name in ("config.yaml", "train.log", "checkpoints/last.pt", "model/model.safetensors"):
        assert (directory / name).exists(), name
    assert {p.name for p in (directory / "report").iterdir()} == {
        "learning_curves.png",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "history.csv",
        "per_phone.csv",
        "report.html",
        "top_confusions.csv",
    }
    for name in ("learning_curves.png", "confusion_matrix.png"):
        assert (directory / "report" / name).stat().st_size > 10_000
    identity = run_id(output)
    shell.framesweep("predict", identity, "--out", "ids.csv")
    shell.framesweep("predict", identity, identity, "--labels", "phone", "--out", "phones.csv")
    ids, phones = (
        list(csv.reader((shell.folder / f).open())) for f in ("ids.csv", "phones.csv")
    )
    assert ids[0] == phones[0] == ["id", "label"]
    assert [int(row[0]) for row in ids[1:]] == list(range(120))
    names = json.loads((directory / "model" / "predictor.json").read_text())["phones"]
    assert [names[int(row[1])] for row in ids[1:]] == [row[1] for row in phones[1:]]
    text = shell.framesweep("evaluate", identity, "--split", "dev").stdout
    measured = dict(line.split() for line in text.splitlines())
    best = max(v for (k, _), v in tracked_metrics(shell).items() if k == "dev/accuracy")
    assert float(measured["dev/accuracy"]) == pytest.approx(best, abs=1e-4)
    error = shell.framesweep("evaluate", identity, "--split", "test", code=2).stderr
    assert "must have labels" in error


def wait_for_line(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(process.stderr.read())


def test_a_run_that_was_killed_and_resumed_equals_one_never_killed(shell, tmp_path):
    options = [
        *shell.small,
        "train.epochs=4",
        "train.checkpoint_minutes=1e-6",
        "model.dropout=0.3",
    ]
    shell.train(*options)
    expected_metrics = tracked_metrics(shell)
    (expected,) = shell.runs
    other = type(shell)(tmp_path / "other", tmp_path)
    other.folder.mkdir()
    process = other.start(*options)
    wait_for_line(process, "epoch 2/4")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    (directory,) = other.runs
    assert "resuming after epoch" in other.train(f"resume={directory}").stdout
    assert query(other, "select status from runs") == [("FINISHED",)]
    assert tracked_metrics(other) == expected_metrics
    for name, tensor in weights(expected).items():
        assert (weights(directory)[name] == tensor).all(), name


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_a_checkpoint_and_prints_how_to_resume(shell, signum, code):
    process = shell.start(*shell.small, "train.epochs=100000")
    wait_for_line(process, "epoch 1/")
    process.send_signal(signum)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    identity = re.search(r"train\.py resume=(\w+)", output).group(1)
    assert query(shell, "select status from runs") == [("KILLED",)]
    shell.train(f"resume={identity}", "train.max_minutes=1e-6")
    assert query(shell, "select run_uuid, status from runs") == [(identity, "FINISHED")]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_whole_grid(shell, signum, code):
    process = shell.start("-m", *shell.small, "train.epochs=100000", "seed=1,2,3")
    wait_for_line(process, "epoch 1/")
    process.send_signal(signum)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert query(shell, "select status from runs") == [("KILLED",)] * 2  # job 0 and the parent


@pytest.mark.heavy
@pytest.mark.parametrize("number", [8])
def test_concurrent_runs_share_outputs_without_losing_anything(shell, number):
    with ThreadPoolExecutor(number) as pool:
        outputs = list(
            pool.map(lambda i: shell.train(*shell.small, f"seed={i}"), range(number))
        )
    identities = {run_id(result.stdout) for result in outputs}
    assert len(identities) == number
    assert query(shell, "select distinct status from runs") == [("FINISHED",)]
    rows = query(
        shell, "select run_uuid, count(*) from metrics where step in (1, 2) group by 1"
    )
    assert {row[0] for row in rows} == identities
    assert len({row[1] for row in rows}) == 1
    assert len(shell.runs) == number
    assert len(list((shell.folder / "outputs" / "cache").iterdir())) == 1
