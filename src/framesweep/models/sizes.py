"""Which layers a `model` config stands for, and the rules it keeps to."""

from dataclasses import dataclass

from framesweep.config import MlpConfig, ModelConfig
from framesweep.errors import ConfigError
from framesweep.models.widths import MAX_WIDTH, count_params, shape_widths, widest_within

MAX_DEPTH = 100
"""Hidden layers a network may have."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """The sizes of one convolution over time: (in_frames, in_width) -> (frames, width).

    Where its places do not reach both ends, as many inputs are left out at each, or one more
    at the end.
    """

    in_frames: int
    in_width: int
    kernel: int
    stride: int
    width: int

    @property
    def frames(self) -> int:
        """Places where it looks."""
        return (self.in_frames - self.kernel) // self.stride + 1

    @property
    def first(self) -> int:
        """The first input frame it sees."""
        return (self.in_frames - self.kernel) % self.stride // 2

    @property
    def patch_dim(self) -> int:
        """Values it sees at once."""
        return self.kernel * self.in_width

    @property
    def output_dim(self) -> int:
        """Values it gives in all."""
        return self.frames * self.width


def convolutions(config: MlpConfig, input_dim: int, num_frames: int) -> list[Convolution]:
    """The convolutions before the hidden layers.

    Args:
        config: the `model` group.
        input_dim: values in a window.
        num_frames: frames in a window.

    Raises:
        ConfigError: as `check`, or a kernel longer than what is left of a window.
    """
    check(config)
    sizes: list[Convolution] = []
    frames, width = num_frames, input_dim // num_frames
    for channels in config.conv_channels:
        if frames < config.conv_kernel:
            raise ConfigError(
                "model.conv_kernel",
                f"must be at most {frames}, the steps left of a window of {num_frames} frames "
                f"before convolution {len(sizes) + 1}",
                found=config.conv_kernel,
                fix="Enlarge data.context, or list fewer model.conv_channels.",
            )
        size = Convolution(frames, width, config.conv_kernel, config.conv_stride, channels)
        sizes.append(size)
        frames, width = size.frames, size.width
    return sizes


def solve_widths(
    config: MlpConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> tuple[int, ...]:
    """Units of each hidden layer: as listed, by shape, or the widest within `max_params`.

    Raises:
        ConfigError: as `convolutions`, or a `max_params` that no network can keep to.
    """
    before = convolutions(config, input_dim, num_frames)
    in_width = before[-1].output_dim if before else input_dim
    if config.widths is not None:
        return tuple(config.widths)
    shape, depth, limit = config.shape, config.depth or 0, config.max_params or 0
    if config.width is not None:
        return shape_widths(shape, config.width, depth)
    used = sum(count_params((c.width,), c.patch_dim, 0, config.norm) for c in before)
    width = widest_within(limit - used, shape, depth, in_width, num_classes, config.norm)
    if not 1 <= width < MAX_WIDTH:
        least, most = (
            used
            + count_params(shape_widths(shape, w, depth), in_width, num_classes, config.norm)
            for w in (1, MAX_WIDTH)
        )
        raise ConfigError(
            "model.max_params",
            f"must be from {least:,} to below {most:,} for {depth} hidden layers",
            found=config.max_params,
            fix="Change it, model.depth or data.context.",
        )
    return shape_widths(shape, width, depth)


def check(config: MlpConfig) -> None:
    """Check the rules of the `model` group that its types cannot express.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    if config.widths is not None:
        _check_listed(config, config.widths)
        num_layers = len(config.widths)
    else:
        num_layers = _check_shaped(config)
    check_dropouts(config, num_layers)
    for channels in config.conv_channels:
        check_range("model.conv_channels", channels, 1, MAX_WIDTH)
    for key in ("conv_kernel", "conv_stride"):
        check_range(f"model.{key}", getattr(config, key), 1, MAX_WIDTH)
    _check_dropout("model.conv_dropout", config.conv_dropout)


def check_dropouts(config: ModelConfig, num_layers: int) -> None:
    """Raises ConfigError where model.dropout does not fit so many hidden layers."""
    for dropout in layer_dropouts(config, num_layers):
        _check_dropout("model.dropout", dropout)
    if isinstance(config.dropout, list) and len(config.dropout) != num_layers:
        raise ConfigError(
            "model.dropout",
            f"must list one number a hidden layer, here {num_layers}",
            found=config.dropout,
            fix="Or give a single number for all.",
        )


def _check_listed(config: MlpConfig, widths: list[int]) -> None:
    check_range("model.widths, its length,", len(widths), 0, MAX_DEPTH)
    for width in widths:
        check_range("model.widths", width, 1, MAX_WIDTH)
    for key, default in {
        "width": None,
        "depth": None,
        "max_params": None,
        "shape": "cylinder",
    }.items():
        if (value := getattr(config, key)) != default:
            raise ConfigError(
                f"model.{key}",
                f"cannot be combined with model.widths={widths}",
                found=value,
                fix="To list widths take model=base; for a shape or a budget take "
                "model=pyramid, or add model.widths=null.",
            )


def _check_shaped(config: MlpConfig) -> int:
    if config.depth is None:
        raise ConfigError(
            "model.depth",
            "must be given where model.widths is null",
            fix="Add model.depth=4 or so, or list model.widths.",
        )
    check_range("model.depth", config.depth, 1, MAX_DEPTH)
    if config.width is not None:
        check_range("model.width", config.width, 1, MAX_WIDTH)
    if config.width is None and config.max_params is None:
        raise ConfigError(
            "model.width",
            "must be given where model.widths is null",
            fix="Add model.width=1024 or model.max_params=5e6, or list model.widths.",
        )
    if config.width is not None and config.max_params is not None:
        raise ConfigError(
            "model.max_params",
            f"cannot be combined with model.width={config.width}",
            found=config.max_params,
            fix="Add model.width=null to solve for the width, or model.max_params=null.",
        )
    return config.depth


def check_range(key: str, value: int, low: int, high: int) -> None:
    """Raises ConfigError where the key's value is not between low and high."""
    if not low <= value <= high:
        raise ConfigError(key, f"must be between {low:,} and {high:,}", found=value)


def _check_dropout(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(key, "must be at least 0 and below 1", found=value)


def layer_dropouts(config: ModelConfig, num_layers: int) -> list[float]:
    """Share of units dropped in each hidden layer."""
    dropout = config.dropout
    return dropout if isinstance(dropout, list) else [dropout] * num_layers
