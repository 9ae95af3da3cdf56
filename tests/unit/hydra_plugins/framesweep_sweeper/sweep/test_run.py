"""What a sweep checks before its first trial, and what a wrong command leaves behind."""

from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.sweep import _run
from hydra_plugins.framesweep_sweeper.sweep._study import open_study
from hydra_plugins.framesweep_sweeper.workers._devices import WorkerPlan


class RecordingListener:
    """Records its calls. Its application has one objective."""

    def __init__(self):
        self.calls = []

    def objectives(self, config):
        return ["accuracy"]

    def on_start(self, study, config):
        self.calls.append("start")

    def on_trial_end(self, study, trial):
        self.calls.append("trial")

    def on_end(self, study, status):
        self.calls.append(status)


class Composer:
    """Composes a config of the overrides alone."""

    def __init__(self):
        self.config_loader = self

    def load_sweep_config(self, config, overrides):
        return OmegaConf.from_dotlist(overrides)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "studies.db"


@pytest.fixture
def config(tmp_path):
    hydra = {
        "runtime": {"cwd": str(tmp_path), "choices": {}},
        "sweep": {"dir": str(tmp_path)},
        "sweeper": {"study_name": None, "new": False},
        "overrides": {"hydra": []},
    }
    return OmegaConf.create({"hydra": hydra})


@pytest.fixture
def start(make_settings, config, monkeypatch):
    """Return a function that starts a sweep with a listener and these settings."""

    def start(listener, *, arguments=("x=interval(0.0,1.0)",), **changes):
        settings = make_settings(**changes)
        monkeypatch.setattr(_run, "build_listener", lambda _: listener)
        context: Any = Composer()
        return _run.run_sweep(settings, context, lambda _: 0.5, config, list(arguments))

    return start


def test_a_listener_is_not_started_if_the_sweep_cannot_start(start, monkeypatch):
    def fail(*args):
        raise RuntimeError("no workers")

    monkeypatch.setattr(_run, "open_pool", fail)
    listener = RecordingListener()
    with pytest.raises(RuntimeError, match="no workers"):
        start(listener)
    assert listener.calls == []


@pytest.mark.parametrize("step", ["write_multirun", "open_progress_display", "SweepLoop"])
def test_a_listener_that_was_started_is_ended_by_any_error(start, monkeypatch, step):
    def fail(*args, **options):
        raise OSError("no space")

    monkeypatch.setattr(_run, step, fail)
    monkeypatch.setattr(_run, "open_pool", lambda *args: None)
    listener = RecordingListener()
    with pytest.raises(OSError, match="no space"):
        start(listener)
    assert listener.calls == ["start", "FAILED"]


def test_a_sweep_whose_results_find_no_space_has_failed(start, monkeypatch):
    class NoLoop:
        def __init__(self, *args, **options):
            pass

        def run(self, stop):
            pass

    def fail(*args):
        raise OSError("no space")

    monkeypatch.setattr(_run, "SweepLoop", NoLoop)
    monkeypatch.setattr(_run, "write_results", fail)
    monkeypatch.setattr(_run, "open_pool", lambda *args: None)
    listener = RecordingListener()
    with pytest.raises(OSError, match="no space"):
        start(listener)
    assert listener.calls == ["start", "FAILED"]


def test_a_sweep_without_anything_to_search_is_refused_and_leaves_nothing_behind(
    start, database
):
    with pytest.raises(SweepError, match=r"^hydra\.sweeper\.params: must have a key to search"):
        start(RecordingListener(), arguments=["x=1"])
    assert not database.exists()


def test_a_missing_custom_search_space_leaves_nothing_behind(start, database):
    listener = RecordingListener()
    with pytest.raises(SweepError, match=r"custom_search_space: must be .*; found no\.such$"):
        start(listener, custom_search_space="no.such")
    assert listener.calls == []
    assert not database.exists()


@pytest.fixture
def preparing_listener(database):
    """A listener that records for which keys it prepares the trials, and fails to do it."""

    class PreparingListener(RecordingListener):
        def prepare(self, config, keys):
            self.calls.append((keys, database.exists()))
            raise RuntimeError("cannot be prepared")

    return PreparingListener()


def test_an_unknown_name_is_an_error_before_anything_is_prepared(start, preparing_listener):
    with pytest.raises(SweepError, match=r"start_from: must be .*; found nope$"):
        start(preparing_listener, start_from=["nope"])
    assert preparing_listener.calls == []


def test_what_all_trials_need_is_prepared_on_their_machine_before_the_study_exists(
    start, config, database, preparing_listener
):
    listener = preparing_listener
    with pytest.raises(RuntimeError, match="cannot be prepared"):
        start(listener)
    assert listener.calls == [(["x"], False)]
    assert not database.exists()
    config.hydra.launcher = {"_target_": "some.SlurmLauncher"}
    with pytest.raises(Exception, match=r"some\.SlurmLauncher"):
        start(listener)
    assert len(listener.calls) == 1


def test_nothing_is_prepared_where_a_function_may_suggest_any_key(
    start, preparing_listener, monkeypatch
):
    def fail(*args):
        raise RuntimeError("no workers")

    monkeypatch.setattr(_run, "open_pool", fail)
    with pytest.raises(RuntimeError, match="no workers"):
        start(preparing_listener, custom_search_space="builtins.print")
    assert preparing_listener.calls == []


def test_too_many_directions_are_refused_and_leave_nothing_behind(start, database):
    with pytest.raises(SweepError) as error:
        start(RecordingListener(), direction=["maximize", "minimize"])
    assert str(error.value) == (
        "hydra.sweeper.direction: must be one for each objective (accuracy); "
        "found maximize, minimize. Give 1"
    )
    assert not database.exists()


def test_an_error_in_the_loop_ends_the_listener_as_failed(start, monkeypatch):
    def fail(self, stop):
        raise RuntimeError("broken")

    monkeypatch.setattr(_run, "open_pool", lambda *args: None)
    monkeypatch.setattr(_run.SweepLoop, "run", fail)
    listener = RecordingListener()
    with pytest.raises(RuntimeError, match="broken"):
        start(listener)
    assert listener.calls == ["start", "FAILED"]


def test_a_folder_that_the_listener_refuses_is_left_as_it_is(start, monkeypatch, tmp_path):
    """A listener that looks for the files of another sweep must not find any of this one."""
    found = []

    class RefusingListener(RecordingListener):
        def on_start(self, study, config):
            found.extend(tmp_path.glob("*.yaml"))
            raise SweepError("the folder of another sweep")

    monkeypatch.setattr(_run, "open_pool", lambda *args: None)
    with pytest.raises(SweepError, match="of another sweep"):
        start(RefusingListener())
    assert found == [*tmp_path.glob("*.yaml")] == []


def test_auto_counts_the_gpus_for_local_workers_only(start, config, database, monkeypatch):
    plans = []

    def record(plan, *args):
        plans.append(plan)
        raise RuntimeError("no workers")

    monkeypatch.setattr(_run, "open_pool", record)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c,GPU-d")
    with pytest.raises(RuntimeError, match="no workers"):
        start(RecordingListener(), n_jobs="auto", devices_per_job=2, jobs_per_device=3)
    assert plans == [WorkerPlan(6, ("GPU-a,GPU-b", "GPU-c,GPU-d"))]
    database.unlink()
    config.hydra.launcher = {"_target_": "some.SlurmLauncher"}
    with pytest.raises(SweepError, match=r"n_jobs: must be a number with a launcher.*auto$"):
        start(RecordingListener(), n_jobs="auto")
    assert not database.exists()
    with pytest.raises(RuntimeError, match="no workers"):
        start(RecordingListener(), n_jobs=2)
    assert plans[1:] == [WorkerPlan(2)]


def test_the_preview_of_a_study_counts_only_the_trials_that_it_lacks(
    start, config, make_settings, url, capsys
):
    space = read_space({}, ["x=choice(1,2,3)"])
    study = open_study(make_settings(), open_storage(url, 60), space, config)
    distributions = {"x": CategoricalDistribution([1, 2, 3])}
    point: dict[str, Any] = {"params": {"x": 1}, "distributions": distributions}
    study.add_trial(create_trial(value=0.5, **point))
    study.add_trial(create_trial(value=0.5, user_attrs={"duplicate_of": 0}, **point))
    start(RecordingListener(), arguments=["x=choice(1,2,3)"], preview=True, n_trials=8)
    lines = capsys.readouterr().out.splitlines()
    assert f"study {study.study_name}: 2 of 8 trials are done" in lines
    size = "6 trials are to be run, at least 4 of which repeat others"
    assert f"size: 3 points; {size}" in lines


def test_a_stopped_sweep_names_the_key_by_which_it_began_a_study(tmp_path):
    lines: list[str] = []
    study = SimpleNamespace(study_name="s-2")
    queue: Any = SimpleNamespace(study=study, count_states=dict)
    progress: Any = SimpleNamespace(log=lines.append)
    stop: Any = SimpleNamespace(signum=2)
    for key in ("sweep.new", ""):
        _run._log_results(queue, [], tmp_path, progress, stop, key)
    assert lines == [
        "study s-2: stopped; start the same sweep again with sweep.new=false "
        "hydra.sweeper.study_name=s-2 to resume it",
        "study s-2: stopped; start the same sweep again to resume it",
    ]


@pytest.mark.parametrize(("number", "says"), [(1, "1 trial is done"), (2, "2 trials are done")])
def test_a_sweep_ends_with_the_number_of_its_trials(tmp_path, number, says):
    lines: list[str] = []
    trial = create_trial(value=0.5)
    counts = {state: number if state is TrialState.COMPLETE else 0 for state in TrialState}
    study = SimpleNamespace(study_name="s")
    queue: Any = SimpleNamespace(study=study, count_states=lambda: counts)
    progress: Any = SimpleNamespace(log=lines.append)
    stop: Any = SimpleNamespace(signum=0)
    _run._log_results(queue, [trial], tmp_path, progress, stop, "")
    assert lines[0] == f"study s: {says}; results in {tmp_path}"
