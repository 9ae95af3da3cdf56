"""The sweeper in an application that is not framesweep: real sweeps of tests/sweep_app.py."""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import optuna
import pytest

import warm_processes

APP = Path(__file__).parents[1] / "sweep_app.py"
SECONDS = 600


class App:
    """Runs the application in its own folder."""

    warm_workers = True
    """Whether workers are forked; the sweep then has one child more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study_folder = folder / "outputs" / "sweeps" / "s"

    def start(self, *overrides: str) -> subprocess.Popen:
        command = [sys.executable, str(APP), "-m", "hydra.sweeper.study_name=s", *overrides]
        return warm_processes.popen(
            command,
            cwd=self.folder,
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            warm_workers=self.warm_workers,
        )

    def run(self, *overrides: str, code: int = 0) -> str:
        process = self.start(*overrides)
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == code, output
        return output

    def study(self) -> optuna.Study:
        return optuna.load_study(
            study_name="s", storage=f"sqlite:///{self.folder}/outputs/studies.db"
        )

    def states(self) -> dict[str, int]:
        return collections.Counter(trial.state.name for trial in self.study().trials)

    def epochs(self, number: int) -> list[int]:
        return [int(epoch) for epoch in self.read(number, "epochs.log").split()]

    def read(self, number: int, name: str) -> str:
        """Return the text of a file in a trial's directory."""
        return (self.study_folder / str(number) / name).read_text()

    def count(self, name: str) -> int:
        """Return the number of lines in all trials' files of this name."""
        files = self.study_folder.glob(f"*/{name}")
        return sum(len(path.read_text().splitlines()) for path in files)

    def wait_for(self, name: str, lines: int) -> None:
        """Wait until the trials' files of this name have so many lines."""
        end = time.monotonic() + SECONDS
        while self.count(name) < lines:
            assert time.monotonic() < end, f"no {lines} lines in {name}"
            time.sleep(0.05)


@pytest.fixture
def app(tmp_path):
    return App(tmp_path)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_search_prunes_reaches_its_total_and_can_be_extended(app):
    search = ["x=interval(0.0,1.0)", "hydra.sweeper.n_jobs=2", "hydra.sweeper.sampler.seed=1"]
    search += ["hydra.sweeper.pruner.n_startup_trials=3"]
    output = app.run(*search, "hydra.sweeper.n_trials=10")
    states = app.states()
    assert states["COMPLETE"] + states["PRUNED"] == 10
    assert states["PRUNED"] > 0
    assert "Traceback" not in output
    for trial in app.study().trials:
        epochs = app.epochs(trial.number)
        assert epochs == sorted(set(epochs)) == list(trial.intermediate_values)
        assert len(epochs) == 3 or trial.state.name == "PRUNED"

    app.run(*search, "hydra.sweeper.n_trials=12")
    params = [trial.params["x"] for trial in app.study().trials]
    assert len(params) == len(set(params)) == 12
    assert app.count("starts.log") == 12

    output = app.run(*search, "hydra.sweeper.n_trials=12")
    assert "12 of 12 trials are done" in output
    assert f"best: {app.study().best_value:.6g}" in output
    assert app.count("starts.log") == 12


def test_a_search_ends_at_its_limits_and_continues_if_they_are_raised(app):
    search = ["x=interval(0.0,1.0)", "hydra.sweeper.free_overrides=[seconds]", "epochs=40"]
    # A trial takes eight seconds at least, in which the time of the trial is over.
    slow = [*search, "seconds=0.2", "hydra.sweeper.n_trials=1"]
    output = app.run(*slow, "hydra.sweeper.trial_minutes=0.02", code=1)
    assert "trial 0 pruned by trial_minutes" in output

    more = [*search, "seconds=0.2", "hydra.sweeper.n_trials=9"]
    output = app.run(*more, "hydra.sweeper.max_hours=1e-6", code=1)
    assert "the search ends: hydra.sweeper.max_hours=1e-06 are over" in output
    assert app.states() == {"PRUNED": 1}

    process = app.start(*more, "hydra.sweeper.max_hours=1")
    app.wait_for("starts.log", 2)
    process.kill()
    process.communicate()
    fast = [*search, "seconds=0.01", "hydra.sweeper.n_trials=9"]
    output = app.run(*fast, "hydra.sweeper.stop_when=-9")
    assert "the search ends: hydra.sweeper.stop_when=-9 is reached" in output
    assert app.states() == {"PRUNED": 1, "COMPLETE": 1}


def test_killing_any_process_loses_no_epoch_and_repeats_no_trial(app):
    app.warm_workers = False
    search = [
        "x=interval(0.0,1.0)",
        "hydra.sweeper.n_trials=8",
        "hydra.sweeper.n_jobs=2",
        "epochs=4",
        "seconds=0.15",
    ]
    for kill, epochs in (("sweeper", 3), ("worker", 9), ("group", 14)):
        process = app.start(*search)
        app.wait_for("epochs.log", epochs)
        if kill == "worker":
            os.kill(children(process.pid)[0], signal.SIGKILL)
            app.wait_for("epochs.log", epochs + 1)
        if kill == "group":
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.communicate()
    app.run(*search)
    states = app.states()
    assert states["COMPLETE"] + states["PRUNED"] == len(app.study().trials) == 8
    assert app.count("starts.log") > 8
    for trial in app.study().trials:
        # Resumed from its checkpoint, a trial runs each epoch once, or again if it was killed
        # between the end of the epoch and its checkpoint.
        epochs = app.epochs(trial.number)
        assert sorted(set(epochs)) == list(range(1, len(trial.intermediate_values) + 1))
        steps = [after - before for before, after in pairwise(epochs)]
        assert set(steps) <= {0, 1}
        assert steps.count(0) < len(app.read(trial.number, "starts.log").splitlines())


def test_after_ctrl_c_the_same_command_resumes_from_the_checkpoints(app):
    search = ["x=interval(0.0,1.0)", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2"]
    slow = ["epochs=20", "seconds=0.1"]
    process = app.start(*search, *slow)
    app.wait_for("epochs.log", 4)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, output
    assert "start the same sweep again to resume it" in output
    assert app.states() == {"WAITING": 2}
    done = app.count("epochs.log")
    assert done < 40

    app.run(*search, *slow)
    assert app.states() == {"COMPLETE": 2}
    assert [app.epochs(n) for n in (0, 1)] == [list(range(1, 21))] * 2


def test_two_sweepers_share_one_total(app):
    search = [
        "x=interval(0.0,1.0)",
        "hydra.sweeper.n_trials=9",
        "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.sampler.seed=3",
        "hydra/sweeper/pruner=none",
        "seconds=0.1",
    ]
    processes = [app.start(*search) for _ in range(2)]
    outputs = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert app.states() == {"COMPLETE": 9}
    assert app.count("starts.log") == app.count("ends.log") == 9
    assert len({trial.params["x"] for trial in app.study().trials}) == 9
    owners = {
        line.split()[1]
        for p in app.study_folder.glob("*/starts.log")
        for line in p.read_text().splitlines()
    }
    assert len(owners) > 2, "only one of the sweepers worked"


def test_each_kind_of_failure_has_its_reason(app):
    output = app.run(
        "x=interval(0.0,1.0)",
        "fail=each",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.retries=0",
        "hydra.sweeper.max_failure_rate=1.0",
        "epochs=1",
        code=1,
    )
    assert app.states() == {"FAIL": 6}
    reasons = [trial.user_attrs["failure_reason"] for trial in app.study().trials]
    assert reasons == [
        "out_of_memory",
        "nan_loss",
        "exception",
        "killed",
        "nan_objective",
        "bad_objective",
    ]
    assert "6 of 6 trials failed" in output
    assert "Traceback" not in output


def test_failing_trials_are_retried_and_replaced(app):
    output = app.run(
        "x=interval(0.0,1.0)",
        "fail=exception",
        "every=3",
        "hydra.sweeper.n_trials=7",
        "hydra.sweeper.n_jobs=2",
        "hydra/sweeper/pruner=none",
    )
    states = app.states()
    assert states == {"COMPLETE": 7, "FAIL": 3}
    failed = [trial for trial in app.study().trials if trial.state.name == "FAIL"]
    assert [trial.number % 3 for trial in failed] == [2, 2, 2]
    assert [trial.user_attrs["attempts"] for trial in failed] == [2, 2, 2]
    assert "attempt 2 follows" in output


def test_a_command_that_contradicts_the_study_is_rejected(app):
    app.run("x=choice(0.1,0.2)", "hydra.sweeper.n_trials=1")
    output = app.run("x=choice(0.1,0.3)", "epochs=2", "hydra.sweeper.n_trials=2", code=2)
    assert "choice(0.1, 0.2)  choice(0.1, 0.3)" in output
    assert "epochs" in output
    assert "hydra.sweeper.new=true" in output
    assert "Traceback" not in output
    assert len(app.study().trials) == 1
    app.run("x=choice(0.1,0.3)", "hydra.sweeper.n_trials=1", "hydra.sweeper.new=true")
    names = optuna.get_all_study_names(f"sqlite:///{app.folder}/outputs/studies.db")
    assert sorted(names) == ["s", "s-2"]


def test_equal_points_are_trained_only_once(app):
    output = app.run("x=choice(0.1,0.9)", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2")
    trials = app.study().trials
    assert len(trials) == 6
    assert app.count("starts.log") == len({trial.params["x"] for trial in trials})
    assert "repeats trial" in output
    values: dict[str, float] = {}
    for trial in trials:
        assert values.setdefault(trial.params["x"], trial.value) == trial.value


def test_a_point_that_cannot_be_composed_does_not_block_the_others(app):
    option = app.folder / "own" / "group" / "absent.yaml"
    option.parent.mkdir(parents=True)
    option.write_text("chosen: absent\n")
    search = ["+group=choice(one,absent,two)", "hydra/sweeper/sampler=grid", "epochs=1"]
    search += ["--config-dir", str(app.folder / "own")]
    # What is wrong before a study exists is refused.
    app.run(*search, "hydra.sweeper.n_trials=1", "hydra.sweeper.max_hours=1e-6", code=1)
    option.unlink()
    for total in (1, 2, 2, 2):
        process = app.start(*search, f"hydra.sweeper.n_trials={total}")
        process.communicate(timeout=SECONDS)
    assert app.states() == {"COMPLETE": 2, "FAIL": 1}
    failed = next(trial for trial in app.study().trials if trial.state.name == "FAIL")
    assert failed.params == {"+group": "absent"}
    assert failed.user_attrs["failure_reason"] == "config"
    assert failed.user_attrs["attempts"] == 1


@pytest.mark.parametrize("name", ["тест", "1.10"])
def test_a_study_may_have_any_name(app, name):
    search = ["x=interval(0.0,1.0)", f"hydra.sweeper.study_name='{name}'", "epochs=1"]
    app.run(*search, "hydra.sweeper.n_trials=1")
    assert (app.folder / "outputs" / "sweeps" / name / "0" / "ends.log").exists()


def test_a_value_on_the_command_line_replaces_the_search_whatever_its_prefix(app):
    params = "+hydra.sweeper.params={x: 'interval(0.0,1.0)', momentum: null, epochs: 1}"
    app.run(params, "++x=0.25", "kind=choice(plain,heavy)", "hydra.sweeper.n_trials=1")
    (trial,) = app.study().trials
    assert set(trial.params) == {"kind"}
    assert trial.value == pytest.approx(1 - (0.25 - 0.3) ** 2)


def test_a_conditional_key_is_searched_only_where_its_condition_holds(app):
    params = (
        "+hydra.sweeper.params={kind: 'choice(plain,heavy)', "
        "momentum: {when: 'kind=heavy', space: 'interval(0.8,0.9)'}, x: 'interval(0.0,1.0)'}"
    )
    app.run(params, "hydra.sweeper.n_trials=8", "hydra/sweeper/pruner=none")
    trials = app.study().trials
    kinds = {trial.params["kind"] for trial in trials}
    assert kinds == {"plain", "heavy"}
    for trial in trials:
        assert ("momentum" in trial.params) == (trial.params["kind"] == "heavy")


def test_no_worker_waits_for_another(app):
    """One job takes as long as all others together, which the other worker runs meanwhile."""
    app.run(
        "seconds=choice(0.6,0.05,0.06,0.07,0.08,0.09)",
        "epochs=5",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.n_jobs=2",
        "hydra/sweeper/sampler=grid",
        "hydra/sweeper/pruner=none",
    )
    trials = app.study().trials
    long = next(trial for trial in trials if trial.params["seconds"] == 0.6)
    end = long.datetime_complete
    during = [t for t in trials if t is not long and t.datetime_complete < end]
    assert len(trials) == 6
    assert len(during) >= 2 or long.number >= 4


def test_a_study_can_be_kept_in_a_journal_file(app):
    search = ["x=interval(0.0,1.0)", "hydra.sweeper.storage=outputs/studies.journal"]
    app.run(*search, "hydra.sweeper.n_trials=2")
    output = app.run(*search, "hydra.sweeper.n_trials=3")
    assert "2 of 3 trials are done" in output
    assert app.count("ends.log") == 3


def test_another_launcher_prunes_retries_and_resumes(app):
    search = [
        "x=interval(0.0,1.0)",
        "hydra/launcher=other",
        "hydra.sweeper.pruner.n_startup_trials=2",
        "hydra.sweeper.sampler.seed=2",
        "fail=exception",
        "every=4",
    ]
    output = app.run(*search, "hydra.sweeper.n_trials=6")
    states = app.states()
    assert states["PRUNED"] > 0
    assert states["COMPLETE"] + states["PRUNED"] == 6
    failed = [trial for trial in app.study().trials if trial.state.name == "FAIL"]
    assert [trial.user_attrs["failure_reason"] for trial in failed] == ["exception"]
    assert failed[0].user_attrs["attempts"] == 2
    assert "trial 3 failed: exception: ValueError: no good" in output
    output = app.run(*search, "hydra.sweeper.n_trials=7")
    assert "6 of 7 trials are done" in output


@pytest.mark.heavy
def test_a_trial_that_joblib_runs_ends_at_its_time_limit(app):
    """Its KeyboardInterrupt must not be pickled with the result that Hydra attaches to it."""
    search = ["x=interval(0.0,1.0)", "epochs=9999", "seconds=0.1", "hydra.sweeper.n_trials=1"]
    process = app.start(*search, "hydra/launcher=joblib", "hydra.sweeper.trial_minutes=0.02")
    try:
        output, _ = process.communicate(timeout=SECONDS / 5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert "trial 0 pruned by trial_minutes" in output
    assert "KeyboardInterrupt" in app.read(0, "sweep_app.log")
