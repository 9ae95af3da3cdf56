"""One pass over a batch changes it as torch's operations do one after the other."""

import sys

import pytest
import torch

from framesweep import kernels
from framesweep.config import AugmentConfig
from framesweep.distributed.collectives import Shard
from framesweep.training.augmentation import build_augment

linux = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")


def by_torch(augment, windows, shard, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "can_perturb", lambda *_: False)
        torch.manual_seed(5)
        return augment(windows.clone(), shard)


@linux
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("chunk_frames", [None, 30])
@pytest.mark.parametrize(
    "keys",
    [
        {"tempo": 0.3},
        {"shift": 2},
        {"shift": 20},
        {"gain": 0.5},
        {"time_masks": 2, "time_width": 5},
        {"freq_masks": 1, "freq_width": 6},
        {
            "tempo": 0.2,
            "shift": 1,
            "gain": 0.1,
            "time_masks": 1,
            "time_width": 9,
            "freq_masks": 2,
            "freq_width": 6,
        },
    ],
)
def test_one_pass_changes_windows_and_chunks_as_torch_does(
    keys, chunk_frames, dtype, monkeypatch
):
    augment = build_augment(AugmentConfig(**keys), 4, 6, chunk_frames)
    if augment is None:  # the tempo of a chunk is changed where it is read
        assert keys == {"tempo": 0.3}
        return
    frames = 9 if chunk_frames is None else chunk_frames + 8
    windows = torch.randn(100, frames * 6).to(dtype)
    for shard in (None, Shard(30, 50, 100)):
        own = windows if shard is None else shard.select(windows)
        expected = by_torch(augment, own, shard, monkeypatch)
        assert not torch.equal(expected, own)
        torch.manual_seed(5)
        found = augment(own.clone(), shard)
        assert found.shape == own.shape
        # Torch may add an offset in the same operation as it scales it: one rounding less.
        tolerance = torch.finfo(dtype).eps if "gain" in keys else 0.0
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@linux
def test_without_changes_the_windows_stay_as_they_are():
    x = torch.randn(3, 5, 4)
    x[0, 0, 0] = torch.nan
    found = x.clone()
    kernels.perturb(found)
    assert torch.equal(found.nan_to_num(9), x.nan_to_num(9))


def test_windows_of_another_type_or_device_take_torchs_operations():
    assert not kernels.can_perturb(torch.zeros(4, 6, dtype=torch.float16))
    assert not kernels.can_perturb(torch.zeros(6, 4).t())
    assert not kernels.can_perturb(torch.zeros(4, 6, device="meta"))
