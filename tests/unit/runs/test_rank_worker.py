"""The worker processes of a run, without other processes."""

from types import SimpleNamespace

import pytest

from configs import compose
from framesweep.config.composition import dump, register
from framesweep.distributed.launch import CONFIG_KEY, READY_KEY
from framesweep.errors import Interrupted, NonFiniteLossError
from framesweep.runs import rank_worker
from framesweep.runs.rank_worker import run_worker

register()


class Store(dict):
    """What the processes share."""

    def set_timeout(self, timeout):
        pass

    def set(self, key, value):
        self[key] = value


class Group(SimpleNamespace):
    """Records what the worker does with the other processes."""

    def __getattr__(self, name):
        return lambda *_: self.calls.append(name)


@pytest.fixture
def worker(monkeypatch):
    """Run a worker of rank 1 whose training does what `fit` does."""

    def start(fit):
        store = Store({CONFIG_KEY: dump(compose(["seed=5"])).encode()})
        calls = []

        def build(config, process_group):
            assert config.seed == 5
            calls.append("build")
            hardware = SimpleNamespace(device="cpu")
            return SimpleNamespace(components=SimpleNamespace(hardware=hardware), fit=fit)

        monkeypatch.setattr(rank_worker, "connect", lambda: (store, 1, 2))
        monkeypatch.setattr(rank_worker, "ProcessGroup", lambda *_: Group(calls=calls))
        monkeypatch.setattr(rank_worker, "build_experiment", build)
        run_worker()
        assert f"{READY_KEY}/1" in store
        return calls

    return start


def test_a_worker_builds_the_config_of_rank_0_and_trains(worker):
    def fit(checkpoints, callback):
        assert checkpoints.load() is None
        assert callback.stop_signal() == 0

    assert worker(fit) == ["build", "init", "barrier", "destroy"]


@pytest.mark.parametrize(
    ("error", "code"), [(Interrupted(15), 143), (NonFiniteLossError("nan"), 1)]
)
def test_an_end_that_all_ranks_see_is_reported_by_rank_0_alone(worker, capsys, error, code):
    def fit(checkpoints, callback):
        raise error

    with pytest.raises(SystemExit) as caught:
        worker(fit)
    assert caught.value.code == code
    assert capsys.readouterr().err == ""
