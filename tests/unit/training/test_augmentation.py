"""Masks and other perturbations of windows."""

import pytest
import torch
from torch import Tensor

import options
from framesweep.config import AugmentConfig
from framesweep.errors import ConfigError
from framesweep.training.augmentation import build_augment

CONTEXT, BINS, BATCH = 7, 10, 4000
FRAMES = 2 * CONTEXT + 1


def find_masked(**keys: int) -> Tensor:
    """Return (B, frames, bins) bool: which values of windows without zeros became zero."""
    torch.manual_seed(0)
    config = AugmentConfig(**({"time_masks": 0, "freq_masks": 0} | keys))
    augment = build_augment(config, CONTEXT, BINS)
    assert augment is not None
    windows = torch.rand(BATCH, FRAMES * BINS) + 1.0
    before = windows.clone()
    out = augment(windows)
    assert out.data_ptr() == windows.data_ptr()
    assert torch.equal(out[out != 0], before[out != 0])
    return out.view(BATCH, FRAMES, BINS) == 0


def num_stretches(flags: Tensor) -> Tensor:
    """Return for each row of (B, L) bool the number of stretches of True."""
    padded = torch.nn.functional.pad(flags.int(), (1, 0))
    return (padded.diff(dim=1) == 1).sum(dim=1)


@pytest.mark.parametrize("masks", [1, 2, 3])
def test_time_masks_cover_whole_frames_but_never_the_center(masks: int) -> None:
    zeroed = find_masked(time_masks=masks, time_width=4)
    frames = zeroed.any(dim=2)
    assert torch.equal(frames, zeroed.all(dim=2)), "a frame is partly masked"
    assert not frames[:, CONTEXT].any()
    assert 4 * (masks - 1) < frames.sum(dim=1).max() <= 4 * masks
    # A mask that the center frame divides counts twice.
    assert num_stretches(frames).max() <= masks + 1
    frames[:, CONTEXT] = frames[:, CONTEXT - 1] & frames[:, CONTEXT + 1]
    assert num_stretches(frames).max() == masks


@pytest.mark.parametrize("masks", [1, 2])
def test_frequency_masks_cover_a_bin_in_all_frames(masks: int) -> None:
    zeroed = find_masked(freq_masks=masks, freq_width=3)
    assert not zeroed[:, CONTEXT].any()
    others = torch.cat([zeroed[:, :CONTEXT], zeroed[:, CONTEXT + 1 :]], dim=1)
    assert torch.equal(others.any(dim=1), others.all(dim=1)), (
        "a bin is masked in some frames only"
    )
    bins = others.any(dim=1)
    assert bins.sum(dim=1).max() == 3 * masks
    assert num_stretches(bins).max() == masks


def test_widths_and_positions_of_masks_are_uniform() -> None:
    bins = find_masked(freq_masks=1, freq_width=3)[:, 0]
    widths = bins.sum(dim=1)
    shares = torch.bincount(widths, minlength=4) / BATCH
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.03, rtol=0)
    starts = bins[widths == 3].int().argmax(dim=1)
    places = torch.bincount(starts) / len(starts)
    torch.testing.assert_close(places, torch.full((8,), 1 / 8), atol=0.04, rtol=0)


def test_a_mask_may_cover_the_whole_axis_except_the_center() -> None:
    zeroed = find_masked(time_masks=1, time_width=1000, freq_masks=1, freq_width=BINS)
    kept = ~zeroed
    assert kept[:, CONTEXT].all()
    assert (kept.sum(dim=(1, 2)) == BINS).any(), "no window keeps only its center frame"


def test_each_window_has_masks_of_its_own_that_depend_on_the_seed() -> None:
    first = find_masked(time_masks=2, time_width=5, freq_masks=2, freq_width=6)
    assert len(first.flatten(1).unique(dim=0)) > BATCH / 2
    assert torch.equal(
        first, find_masked(time_masks=2, time_width=5, freq_masks=2, freq_width=6)
    )


def test_restoring_torchs_generator_repeats_the_masks() -> None:
    """So a checkpoint, which contains its state, continues with the same masks."""
    augment = build_augment(AugmentConfig(time_masks=1), CONTEXT, BINS)
    assert augment is not None
    state = torch.get_rng_state()
    first = augment(torch.ones(64, FRAMES * BINS))
    second = augment(torch.ones(64, FRAMES * BINS))
    torch.set_rng_state(state)
    assert torch.equal(augment(torch.ones(64, FRAMES * BINS)), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("keys", "context"),
    [
        ({}, 5),
        ({"time_masks": 2, "freq_masks": 2}, 0),
        ({"time_masks": 2, "time_width": 0}, 5),
        ({"freq_masks": 2, "freq_width": 0}, 5),
        ({"tempo": 0.1}, 0),
    ],
)
def test_there_is_no_augmentation_if_it_would_change_nothing(
    keys: dict[str, int], context: int
) -> None:
    assert build_augment(AugmentConfig(**keys), context, BINS) is None


def test_every_option_masks_a_reasonable_share() -> None:
    assert options.names("augment") == ["none", "specaugment", "speech"]
    assert build_augment(options.build("augment", "none"), 25, 40) is None
    for context in (1, 25, 50):
        augment = build_augment(options.build("augment", "specaugment"), context, 40)
        assert augment is not None
        windows = torch.ones(512, (2 * context + 1) * 40)
        masked_share = (augment(windows) == 0).float().mean()
        assert 0.05 < masked_share < 0.6


def test_a_frequency_mask_wider_than_a_frame_is_refused() -> None:
    config = AugmentConfig(freq_masks=1, freq_width=11)
    with pytest.raises(ConfigError, match=r"^augment.freq_width: must be at most the 10 bins"):
        build_augment(config, CONTEXT, BINS)


def perturb(**keys):
    """Return 3-frame windows of 8 bins, each frame a ramp, before and after augmentation."""
    before = torch.arange(8.0).expand(500, 3, 8) + 10
    build = build_augment(AugmentConfig(**keys), context=1, feature_dim=8)
    return before, build(before.reshape(500, 24).clone()).view(500, 3, 8)


def test_shift_moves_whole_windows_up_or_down():
    before, after = perturb(shift=2)
    moves = after[:, 0, 3] - before[:, 0, 3]
    assert set(moves.tolist()) == {-2, -1, 0, 1, 2}
    expected = (before + moves[:, None, None]).clamp(10, 17)
    assert torch.equal(after, expected)


def test_tempo_scales_time_about_the_center():
    """Each frame is compared with the nearest one at the rate that was drawn."""
    config = AugmentConfig(tempo=0.5)
    augment = build_augment(config, CONTEXT, BINS)
    before = torch.rand(300, FRAMES, BINS)
    torch.manual_seed(3)
    rates = 1 + 0.5 * (2 * torch.rand(300, 1) - 1)
    torch.manual_seed(3)
    after = augment(before.flatten(1).clone()).view_as(before)
    assert rates.min() < 0.6
    assert rates.max() > 1.4
    for window, rate, found in zip(before, rates.flatten(), after, strict=True):
        for frame in range(FRAMES):
            source = round(float((frame - CONTEXT) * rate)) + CONTEXT
            assert torch.equal(found[frame], window[min(max(source, 0), FRAMES - 1)])
    assert torch.equal(after[:, CONTEXT], before[:, CONTEXT])


def test_gain_is_one_offset_per_bin_and_window():
    before, after = perturb(gain=0.5)
    offsets = after - before
    assert torch.allclose(offsets, offsets[:, :1].expand_as(offsets), atol=1e-5)
    assert offsets[:, 0].std().item() == pytest.approx(0.5, rel=0.1)
    assert abs(offsets[:, 0].mean().item()) < 0.05


def test_noise_is_independent_for_each_value():
    before, after = perturb(noise=0.3)
    noise = (after - before).view(-1)
    assert noise.std().item() == pytest.approx(0.3, rel=0.1)
    assert abs(torch.corrcoef(torch.stack((noise[:-1], noise[1:])))[0, 1].item()) < 0.05
