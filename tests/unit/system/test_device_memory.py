"""What is freed at the end of a run."""

import weakref
from typing import Any

import pytest
import torch
from torch import nn

from framesweep.system.device_memory import clear_tracebacks, release_memory


def _fail_holding(references: list[Any]) -> None:
    network = nn.Linear(2, 2)
    references.append(weakref.ref(network))
    try:
        raise ValueError("first")
    except ValueError as error:
        other = nn.Linear(2, 2)
        references.append(weakref.ref(other))
        raise RuntimeError("second") from error


def test_an_error_keeps_no_tensors_once_its_tracebacks_are_cleared() -> None:
    references: list[Any] = []
    with pytest.raises(RuntimeError) as raised:
        _fail_holding(references)
    assert all(reference() is not None for reference in references)
    clear_tracebacks(raised.value)
    assert all(reference() is None for reference in references)
    assert raised.traceback[-1].name == "_fail_holding"


def test_cycles_are_freed() -> None:
    network: Any = nn.Linear(2, 2)
    network.itself = [network]
    reference = weakref.ref(network)
    del network
    release_memory(compiled=False)
    assert reference() is None


@pytest.mark.parametrize("initialized", [False, True])
def test_reserved_memory_is_freed_where_a_device_is_in_use(
    monkeypatch: pytest.MonkeyPatch, initialized: bool
) -> None:
    emptied: list[str] = []
    for name in ("cuda", "xpu"):
        module = getattr(torch, name)
        monkeypatch.setattr(module, "is_initialized", lambda: initialized)
        monkeypatch.setattr(module, "empty_cache", lambda name=name: emptied.append(name))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: initialized)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    release_memory(compiled=False)
    assert emptied == (["cuda", "xpu", "mps"] if initialized else [])


def test_compiled_code_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: calls.append("reset"))
    release_memory(compiled=False)
    assert calls == []
    release_memory(compiled=True)
    assert calls == ["reset"]
