"""Noise on training windows, made for a whole batch at once on the device it lies on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from framesweep.config import AugmentConfig
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SpecAugment:
    """Changes windows as other speakers, channels and noises would, and masks parts of them.

    In this order: a window is made slower or quicker about its centre, by a rate uniform within
    `tempo` of 1 (as Ko et al., 2015, with the pitch left as it is), each frame the nearest one
    of before, those beyond the ends the last; a spectrum is moved up or down by up to `shift`
    bins, its edge bins repeated; each bin is offset by normal noise of deviation `gain`, the
    same for all frames of a window; each value by normal noise of deviation `noise`. Then
    random runs of frames and of mel bins are zeroed (Park et al., 2019; its masks alone).

    A mask's width is uniform from 0 to its limit, its place uniform among those where it fits;
    masks may overlap. A time mask covers all bins of its frames, a frequency mask its bins in
    all frames. A window's centre frame, whose phone is asked for, is always kept whole; a run
    of frames, whose phones are all asked for, is changed as a window is and keeps none.

    All randomness comes from torch's own generator of the windows' device.
    """

    context: int
    feature_dim: int
    time_masks: int
    time_width: int
    freq_masks: int
    freq_width: int
    shift: int = 0
    gain: float = 0.0
    noise: float = 0.0
    tempo: float = 0.0
    keep_centre: bool = True

    def __call__(self, windows: Tensor, shard: Shard | None = None) -> Tensor:
        """Mask (B, num_frames * feature_dim) windows, or runs, in place, and return them.

        `shard` says which rows of the batch these are; None stands for a whole batch.
        """
        shard = shard or Shard.whole(len(windows))
        num_frames = windows.shape[1] // self.feature_dim
        frames = windows.view(len(windows), num_frames, self.feature_dim)
        self._disturb(frames, shard)
        centre = frames[:, self.context].clone()
        if self.time_masks:
            kept = _kept(frames, shard, num_frames, self.time_masks, self.time_width)
            frames.mul_(kept.unsqueeze(2))
        if self.freq_masks:
            kept = _kept(frames, shard, self.feature_dim, self.freq_masks, self.freq_width)
            frames.mul_(kept.unsqueeze(1))
        if self.keep_centre:
            frames[:, self.context] = centre
        return windows

    def _disturb(self, frames: Tensor, shard: Shard) -> None:
        """Shifts, gains and noise on (B, frames, bins), in place."""
        num_bins, device = frames.shape[2], frames.device
        if self.tempo:
            uniform = shard.select(torch.rand(shard.total_rows, 1, device=device))
            frames.copy_(self._at_rate(frames, 1 + self.tempo * (2 * uniform - 1)))
        if self.shift:
            moves = torch.randint(
                -self.shift, self.shift + 1, (shard.total_rows, 1, 1), device=device
            )
            bins = torch.arange(num_bins, device=device) + shard.select(moves)
            sources = bins.clamp_(0, num_bins - 1).expand_as(frames)
            frames.copy_(frames.gather(2, sources))
        if self.gain:
            offsets = torch.randn(shard.total_rows, 1, num_bins, device=device)
            frames.add_(shard.select(offsets), alpha=self.gain)
        if self.noise:
            noise = frames.new_empty(shard.total_rows, *frames.shape[1:]).normal_()
            frames.add_(shard.select(noise), alpha=self.noise)

    def _at_rate(self, frames: Tensor, rates: Tensor) -> Tensor:
        """A copy of (B, frames, bins), its time axis scaled by (B, 1) about the centre."""
        num_frames = 2 * self.context + 1
        places = torch.arange(-self.context, self.context + 1, device=frames.device)
        sources = (places * rates).round().long().add_(self.context).clamp_(0, num_frames - 1)
        rows = torch.arange(len(frames), device=frames.device).mul_(num_frames)
        taken = frames.flatten(0, 1).index_select(0, (sources + rows.unsqueeze(1)).flatten())
        return taken.view_as(frames)


def build_augment(
    config: AugmentConfig, context: int, feature_dim: int, chunk_frames: int | None = None
) -> SpecAugment | None:
    """Build what `config` asks for, or None where it changes nothing.

    A time mask is at most as wide as the window, so that one setting serves every context.

    Args:
        config: the `augment` group.
        context: frames to each side of the centre frame.
        feature_dim: mel bins a frame.
        chunk_frames: for runs of so many neighbouring frames with their context, which get as
            many masks as in the mean leaves a window its number, no frame that is kept, and
            their tempo where they are read.

    Raises:
        ConfigError: a key out of range, or a frequency mask wider than a frame has bins.
    """
    if config.freq_masks and config.freq_width > feature_dim:
        raise ConfigError(
            "augment.freq_width",
            f"must be at most the {feature_dim} bins of a frame",
            found=config.freq_width,
        )
    time_masks = config.time_masks if config.time_width and context else 0
    freq_masks = config.freq_masks if config.freq_width and context else 0
    tempo = config.tempo if context and chunk_frames is None else 0.0
    if chunk_frames is not None:
        time_masks = round(time_masks * (1 + (chunk_frames - 1) / (2 * context + 1)))
    disturbs = bool(config.shift or config.gain or config.noise or tempo)
    if not (time_masks or freq_masks or disturbs):
        return None
    return SpecAugment(
        context=context,
        feature_dim=feature_dim,
        time_masks=time_masks,
        time_width=min(config.time_width, 2 * context + 1),
        freq_masks=freq_masks,
        freq_width=config.freq_width,
        shift=config.shift,
        gain=config.gain,
        noise=config.noise,
        tempo=tempo,
        keep_centre=chunk_frames is None,
    )


def _kept(windows: Tensor, shard: Shard, length: int, num_masks: int, max_width: int) -> Tensor:
    """(B, length) of ones, and zeros where one of a window's masks lies."""
    uniform = torch.rand(2, shard.total_rows, num_masks, 1, device=windows.device)
    widths = (shard.select(uniform[0]) * (max_width + 1)).floor()
    starts = (shard.select(uniform[1]) * (length - widths + 1)).floor()
    places = torch.arange(length, device=windows.device)
    masked = (places >= starts) & (places < starts + widths)
    return (~masked.any(dim=1)).to(windows.dtype)
