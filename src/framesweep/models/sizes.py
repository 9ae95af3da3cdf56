"""The sizes of a perceptron's layers by its config, and the rules for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from framesweep.config import ModelConfig
from framesweep.config.key_ranges import MAX_DEPTH, MAX_WIDTH
from framesweep.config.networks.mlp import MlpConfig
from framesweep.errors import ConfigError
from framesweep.models.widths import count_params, find_widest, shape_widths


@dataclass(frozen=True, slots=True)
class Convolution:
    """The sizes of one convolution over time: (in_frames, in_width) -> (frames, width).

    If its last position does not end at the last input frame, the frames that are left over
    are split between both ends.
    """

    in_frames: int
    in_width: int
    kernel: int
    stride: int
    width: int

    @property
    def frames(self) -> int:
        """Number of positions, and thereby of output frames."""
        return (self.in_frames - self.kernel) // self.stride + 1

    @property
    def first(self) -> int:
        """Number of the first input frame that the convolution sees."""
        return (self.in_frames - self.kernel) % self.stride // 2

    @property
    def patch_dim(self) -> int:
        """Input values per position."""
        return self.kernel * self.in_width

    @property
    def output_dim(self) -> int:
        """Output values of all positions together."""
        return self.frames * self.width


def size_convolutions(config: MlpConfig, input_dim: int, num_frames: int) -> list[Convolution]:
    """Return the convolutions before the hidden layers.

    Args:
        config: The `model` group, valid by `validate_sizes`.
        input_dim: Values per window.
        num_frames: Frames per window. A kernel is no longer than what earlier convolutions
            leave of them.
    """
    sizes: list[Convolution] = []
    frames, width = num_frames, input_dim // num_frames
    for channels in config.conv_channels:
        # A search over contexts reaches windows shorter than the kernel of a longer one.
        kernel = min(config.conv_kernel, frames)
        size = Convolution(frames, width, kernel, config.conv_stride, channels)
        sizes.append(size)
        frames, width = size.frames, size.width
    return sizes


def solve_widths(
    config: MlpConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> tuple[int, ...]:
    """Return the units of each hidden layer: as listed, by shape, or the widest by budget.

    Args:
        config: The `model` group, valid by `validate_sizes`.
        input_dim: Values per window.
        num_classes: Number of phones.
        num_frames: Frames per window.

    Raises:
        ConfigError: if no network keeps to `max_params`.
    """
    before = size_convolutions(config, input_dim, num_frames)
    in_width = before[-1].output_dim if before else input_dim
    if config.widths is not None:
        return tuple(config.widths)
    shape, depth, limit = config.shape, config.depth or 0, config.max_params or 0
    if config.width is not None:
        return shape_widths(shape, config.width, depth)
    used = sum(count_params((c.width,), c.patch_dim, 0, config.norm) for c in before)
    width = find_widest(limit - used, shape, depth, in_width, num_classes, config.norm)
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


def validate_sizes(config: MlpConfig) -> None:
    """Check the sizes and the dropout of a perceptron's layers.

    Raises:
        ConfigError: naming the key, its rule, the value found and the fix.
    """
    if config.widths is not None:
        _validate_listed(config, config.widths)
        num_layers = len(config.widths)
    else:
        num_layers = _validate_shaped(config)
    validate_dropouts(config, num_layers)


def validate_dropouts(config: ModelConfig, num_layers: int) -> None:
    """Raise ConfigError unless model.dropout suits `num_layers` hidden layers."""
    if isinstance(config.dropout, list) and len(config.dropout) != num_layers:
        raise ConfigError(
            "model.dropout",
            f"must list one number per hidden layer, here {num_layers}",
            found=config.dropout,
            fix="Or give a single number for all.",
        )


def require_depth(key: str, layers: Sequence[int], least: int) -> None:
    """Raise ConfigError unless `layers` lists between `least` and MAX_DEPTH layers."""
    if not least <= len(layers) <= MAX_DEPTH:
        rule = f"must list between {least} and {MAX_DEPTH} layers"
        raise ConfigError(key, rule, found=len(layers))


def _validate_listed(config: MlpConfig, widths: list[int]) -> None:
    require_depth("model.widths", widths, 0)
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


def _validate_shaped(config: MlpConfig) -> int:
    """Check the keys that replace model.widths, and return the number of hidden layers."""
    if config.depth is None:
        raise ConfigError(
            "model.depth",
            "must be given if model.widths is null",
            fix="Add model.depth=4, for example, or list model.widths.",
        )
    if config.width is None and config.max_params is None:
        raise ConfigError(
            "model.width",
            "must be given if model.widths is null",
            fix="Add model.width=1024 or model.max_params=5e6, or list model.widths.",
        )
    require_one_size(config.width, config.max_params)
    return config.depth


def require_one_size(width: int | None, max_params: float | None) -> None:
    """Raise ConfigError if both the width and the budget that determines it are given."""
    if width is not None and max_params is not None:
        raise ConfigError(
            "model.max_params",
            f"cannot be combined with model.width={width}",
            found=max_params,
            fix="Add model.width=null to solve for the width, or model.max_params=null.",
        )


def list_dropouts(config: ModelConfig, num_layers: int) -> list[float]:
    """Return the share of units to drop in each of `num_layers` hidden layers."""
    dropout = config.dropout
    return dropout if isinstance(dropout, list) else [dropout] * num_layers
