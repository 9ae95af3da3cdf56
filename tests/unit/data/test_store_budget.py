"""Features are kept on the device as far as its free memory or a limit allows."""

import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data.store.frame_store import FrameStore, open_store
from framesweep.data.store_budget import FEATURE_SHARE, StoreBudget, split_bytes
from framesweep.data.streamed_windows import StreamedWindows
from toy import ToyCorpus

CPU = torch.device("cpu")


@pytest.fixture
def store(tmp_path) -> FrameStore:
    return open_store(DataConfig(context=2), ToyCorpus(), tmp_path)


def test_the_size_of_a_split_includes_the_padding_of_its_rows(store):
    train = store.splits["train"]
    assert split_bytes(train, torch.float32) == len(train.rows) * 8 * 4
    assert split_bytes(train, torch.bfloat16) == len(train.rows) * 8 * 2


def test_a_cpu_has_no_limit_of_its_own(store):
    budget = StoreBudget(CPU)
    assert all(budget.admit(split, torch.float32) for split in store.splits.values())


def test_splits_share_the_limit(store):
    train, dev = store.splits["train"], store.splits["dev"]
    size = split_bytes(train, torch.float32)
    budget = StoreBudget(CPU, size / 2**30)
    assert budget.admit(train, torch.float32)
    assert not budget.admit(dev, torch.float32)
    windows = budget.open_windows(dev, 2, torch.float32)
    assert isinstance(windows, StreamedWindows)


def test_a_gpu_offers_a_share_of_what_is_free_or_reserved_by_this_process(store, monkeypatch):
    size = split_bytes(store.splits["train"], torch.float32)
    free = {"mem_get_info": (size, 10 * size)}
    reserved = {"memory_reserved": 3 * size, "memory_allocated": 2 * size}
    for name, value in (free | reserved).items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    budget = StoreBudget(torch.device("cuda"))
    assert budget.limit == pytest.approx(2 * size * FEATURE_SHARE)
    assert budget.admit(store.splits["train"], torch.float32)
    assert not budget.admit(store.splits["train"], torch.float32)
    assert StoreBudget(torch.device("cuda"), size / 2 / 2**30).limit == size / 2
