"""Augmentation of training windows: a whole batch at a time, on its device."""

from dataclasses import dataclass

import torch
from torch import Tensor

from framesweep import kernels
from framesweep.config import AugmentConfig
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SpecAugment:
    """Perturbs windows as other speakers, channels and noises would, and masks parts of them.

    The following perturbations are applied in this order:

    - Tempo: the time axis is scaled about the center frame by a rate drawn uniformly from
      1 - `tempo` to 1 + `tempo`, taking the nearest frames and repeating the last ones. This is
      tempo perturbation (Ko et al., "Audio Augmentation for Speech Recognition", 2015): unlike
      speed perturbation, it leaves the pitch unchanged.
    - Shift: the spectrum is moved up or down by up to `shift` bins, repeating the edge bins.
    - Gain: a normal offset of standard deviation `gain` is added to each bin, the same one for
      all frames of a window.
    - Noise: normal noise of standard deviation `noise` is added to each value.
    - Masks: time masks set consecutive frames to zero, frequency masks consecutive mel bins
      (Park et al., "SpecAugment", 2019, without its time warping). The width of a mask is
      uniform from 0 to its limit, its position uniform among those where it fits; masks may
      overlap.

    The center frame of a window, the one to classify, is perturbed but never masked. In a chunk
    all frames are classified, so that each of them may be masked.

    Random numbers come from torch's global generator on the device of the windows, whose state
    is part of every checkpoint.

    Attributes:
        context: Frames on each side of the center frame.
        feature_dim: Features per frame.
        time_masks, time_width: Number of time masks and their largest width in frames.
        freq_masks, freq_width: Number of frequency masks and their largest width in bins.
        shift: Largest shift of the spectrum in bins.
        gain, noise: Standard deviations, in the units of the features.
        tempo: Largest relative change of the tempo.
        keep_center: Whether the center frame is exempt from masks.
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
    keep_center: bool = True

    def __call__(self, windows: Tensor, shard: Shard | None = None) -> Tensor:
        """Perturb (B, num_frames * feature_dim) windows or chunks in place and return them.

        Args:
            windows: This rank's rows of the batch.
            shard: Which rows of the batch these are; None for a whole batch.
        """
        shard = shard or Shard.whole(len(windows))
        num_frames = windows.shape[1] // self.feature_dim
        frames = windows.view(len(windows), num_frames, self.feature_dim)
        # What the loop does not know, as noise, is left to several passes.
        if self.noise == 0 and kernels.can_perturb(windows, shard):
            self._perturb_at_once(frames, shard)
            return windows
        self._perturb(frames, shard)
        # The chunks of short utterances may have no frame of this number.
        center = frames[:, self.context].clone() if self.keep_center else None
        time_factors, bin_factors = self._draw_factors(frames, shard)
        if time_factors is not None:
            frames.mul_(time_factors.unsqueeze(2))
        if bin_factors is not None:
            frames.mul_(bin_factors.unsqueeze(1))
        if center is not None:
            frames[:, self.context] = center
        return windows

    def _perturb_at_once(self, frames: Tensor, shard: Shard) -> None:
        """Perturb and mask (B, frames, bins) on a CPU in place, as in several passes."""
        sources, moves, offsets = self._draw_changes(frames, shard)
        time_factors, bin_factors = self._draw_factors(frames, shard)
        kernels.perturb(
            frames,
            sources=sources,
            moves=moves,
            offsets=None if offsets is None else offsets * self.gain,
            time_factors=time_factors,
            bin_factors=bin_factors,
            center=self.context if self.keep_center else None,
        )

    def _perturb(self, frames: Tensor, shard: Shard) -> None:
        """Apply tempo, shift, gain and noise to (B, frames, bins) in place.

        Random numbers are drawn for the whole batch, of which each rank uses those of its rows.
        """
        num_bins, device = frames.shape[2], frames.device
        sources, moves, offsets = self._draw_changes(frames, shard)
        if sources is not None:
            rows = torch.arange(len(frames), device=device).mul_(frames.shape[1])
            indices = (sources + rows.unsqueeze(1)).flatten()
            frames.copy_(frames.flatten(0, 1).index_select(0, indices).view_as(frames))
        if moves is not None:
            bins = torch.arange(num_bins, device=device) + moves
            frames.copy_(frames.gather(2, bins.clamp_(0, num_bins - 1).expand_as(frames)))
        if offsets is not None:
            frames.add_(offsets, alpha=self.gain)
        if self.noise:
            noise = frames.new_empty(shard.total_rows, *frames.shape[1:]).normal_()
            frames.add_(shard.select(noise), alpha=self.noise)

    def _draw_changes(self, frames: Tensor, shard: Shard) -> tuple[Tensor | None, ...]:
        """Return sources, moves and offsets, drawn in this order; None for what is not used."""
        return (
            self._draw_sources(frames, shard) if self.tempo else None,
            self._draw_moves(frames, shard) if self.shift else None,
            self._draw_offsets(frames, shard) if self.gain else None,
        )

    def _draw_factors(self, frames: Tensor, shard: Shard) -> tuple[Tensor | None, ...]:
        """Return the (B, frames) and (B, bins) factors of masks; None for what is not used."""
        _, num_frames, num_bins = frames.shape
        return (
            _draw_masks(frames, shard, num_frames, self.time_masks, self.time_width),
            _draw_masks(frames, shard, num_bins, self.freq_masks, self.freq_width),
        )

    def _draw_sources(self, frames: Tensor, shard: Shard) -> Tensor:
        """Return, as (B, frames) int64, which frame of its window each frame is taken from."""
        uniform = shard.select(torch.rand(shard.total_rows, 1, device=frames.device))
        rates = 1 + self.tempo * (2 * uniform - 1)
        offsets = torch.arange(-self.context, self.context + 1, device=frames.device)
        sources = (offsets * rates).round().long().add_(self.context)
        return sources.clamp_(0, 2 * self.context)

    def _draw_moves(self, frames: Tensor, shard: Shard) -> Tensor:
        """Return, as (B, 1, 1) int64, by how many bins each spectrum is moved."""
        size = (shard.total_rows, 1, 1)
        moves = torch.randint(-self.shift, self.shift + 1, size, device=frames.device)
        return shard.select(moves)

    def _draw_offsets(self, frames: Tensor, shard: Shard) -> Tensor:
        """Return the (B, 1, bins) offsets of the bins, in units of `gain`."""
        offsets = torch.randn(shard.total_rows, 1, frames.shape[2], device=frames.device)
        return shard.select(offsets)


def _require_narrow_masks(config: AugmentConfig, feature_dim: int) -> None:
    """Raise ConfigError if frequency masks are wider than a frame."""
    if config.freq_masks and config.freq_width > feature_dim:
        raise ConfigError(
            "augment.freq_width",
            f"must be at most the {feature_dim} bins of a frame",
            found=config.freq_width,
        )


def build_augment(
    config: AugmentConfig, context: int, feature_dim: int, chunk_frames: int | None = None
) -> SpecAugment | None:
    """Return the configured augmentation, or None if it would change nothing.

    Time masks are at most as wide as a window, so that one setting suits every context.

    Args:
        config: The `augment` group.
        context: Frames on each side of the center frame.
        feature_dim: Mel bins per frame.
        chunk_frames: Frames per chunk, for a network that is trained on chunks; None for
            windows. A chunk gets as many time masks per frame as a window; its tempo is
            changed where it is read, by `FrameChunks`.

    Raises:
        ConfigError: Frequency masks are wider than a frame.
    """
    _require_narrow_masks(config, feature_dim)
    time_masks = _count_time_masks(config, context, chunk_frames)
    has_neighbors = bool(context or chunk_frames)
    freq_masks = config.freq_masks if config.freq_width and has_neighbors else 0
    tempo = config.tempo if context and chunk_frames is None else 0.0
    perturbs = bool(config.shift or config.gain or config.noise or tempo)
    if not (time_masks or freq_masks or perturbs):
        return None
    return SpecAugment(
        context=context,
        feature_dim=feature_dim,
        time_masks=time_masks,
        time_width=min(config.time_width, 2 * context + 1 if context else chunk_frames or 1),
        freq_masks=freq_masks,
        freq_width=config.freq_width,
        shift=config.shift,
        gain=config.gain,
        noise=config.noise,
        tempo=tempo,
        keep_center=chunk_frames is None,
    )


def _count_time_masks(config: AugmentConfig, context: int, chunk_frames: int | None) -> int:
    """Return the time masks per window or chunk; a chunk gets as many per frame as a window."""
    if not config.time_width or not (context or chunk_frames):
        return 0
    # How many times as long as a window the input is: a chunk has its context around it.
    lengths = 1.0
    if chunk_frames is not None and context:
        lengths += (chunk_frames - 1) / (2 * context + 1)
    return round(config.time_masks * lengths)


def _draw_masks(
    windows: Tensor, shard: Shard, length: int, num_masks: int, max_width: int
) -> Tensor | None:
    """Return (B, length) factors: 0 where one of a window's masks is, 1 elsewhere.

    None for no masks, without drawing a random number.
    """
    if not num_masks:
        return None
    uniform = torch.rand(2, shard.total_rows, num_masks, 1, device=windows.device)
    widths = (shard.select(uniform[0]) * (max_width + 1)).floor()
    starts = (shard.select(uniform[1]) * (length - widths + 1)).floor()
    positions = torch.arange(length, device=windows.device)
    masked = (positions >= starts) & (positions < starts + widths)
    return (~masked.any(dim=1)).to(windows.dtype)
