"""What a run says and releases when the memory does not suffice."""

import re
from dataclasses import replace

import pytest
import torch

from configs import compose
from framesweep.config.composition import register
from framesweep.config.effects import declared_effects
from framesweep.errors import InsufficientMemoryError
from framesweep.runs import memory as module
from framesweep.runs.memory import released_memory
from hydra_plugins.framesweep_sweeper.trials._failures import classify_error

register()
CONFIG = compose(["train.batch_size=4096"])
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    calls: list[bool] = []
    monkeypatch.setattr(module, "release_memory", lambda *, compiled: calls.append(compiled))
    return calls


def test_memory_is_released_however_a_run_ends(released: list[bool]) -> None:
    with released_memory(CONFIG, in_sweep=False):
        pass
    compiled = replace(CONFIG, hardware=replace(CONFIG.hardware, compile=True))
    for error in (ValueError(), KeyboardInterrupt(), CUDA):
        expected = InsufficientMemoryError if error is CUDA else type(error)
        with pytest.raises(expected), released_memory(compiled, in_sweep=True):
            raise error
    assert released == [False, True, True, True]


def test_a_full_gpu_is_explained_in_one_line() -> None:
    with (
        pytest.raises(InsufficientMemoryError) as raised,
        released_memory(CONFIG, in_sweep=False),
    ):
        raise CUDA
    assert str(raised.value) == (
        "memory of the GPU: must hold the features, the network and a batch; found 'CUDA out "
        "of memory. Tried to allocate 2.00 GiB'. Reduce train.batch_size (4096 now) or the "
        "network (model.*), set hardware.max_store_gib to stream the features, or use "
        "data.dtype=float16."
    )
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("error", [CUDA, MemoryError("Unable to allocate 8 GiB")])
@pytest.mark.parametrize("in_sweep", [False, True])
def test_a_sweep_counts_the_failure_and_the_keys_exist(
    error: Exception, in_sweep: bool
) -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, dtype="float16"))
    with (
        pytest.raises(InsufficientMemoryError) as raised,
        released_memory(config, in_sweep=in_sweep),
    ):
        raise error
    assert classify_error(raised.value) == "out_of_memory"
    line = str(raised.value)
    assert "\n" not in line
    assert "float16" not in line  # it is used already
    assert ("hydra.sweeper.n_jobs" in line) == in_sweep
    keys = re.findall(r"\b(?:train|hardware|data)\.\w+", line)
    assert keys
    assert set(keys) <= set(declared_effects())


def test_in_a_sweep_an_error_keeps_nothing_of_the_run() -> None:
    def fail() -> None:
        network = torch.nn.Linear(2, 2)
        raise ValueError(network.in_features)

    for in_sweep in (False, True):
        with (
            pytest.raises(ValueError, match="2") as raised,
            released_memory(CONFIG, in_sweep=in_sweep),
        ):
            fail()
        kept = "network" in raised.traceback[-1].frame.f_locals
        assert kept is not in_sweep
