"""Which layers a `model` config stands for, and the rules it keeps to."""

from framesweep.config import ModelConfig
from framesweep.errors import ConfigError
from framesweep.widths import MAX_WIDTH, count_params, shape_widths, widest_within

MAX_DEPTH = 100
"""Hidden layers a network may have."""


def solve_widths(config: ModelConfig, input_dim: int, num_classes: int) -> tuple[int, ...]:
    """Units of each hidden layer: as listed, by shape, or the widest within `max_params`.

    Raises:
        ConfigError: as `check`, or a `max_params` that no network can keep to.
    """
    check(config)
    if config.widths is not None:
        return tuple(config.widths)
    shape, depth, limit = config.shape, config.depth or 0, config.max_params or 0
    if config.width is not None:
        return shape_widths(shape, config.width, depth)
    width = widest_within(limit, shape, depth, input_dim, num_classes, config.norm)
    if not 1 <= width < MAX_WIDTH:
        least, most = (
            count_params(shape_widths(shape, w, depth), input_dim, num_classes, config.norm)
            for w in (1, MAX_WIDTH)
        )
        raise ConfigError(
            "model.max_params",
            f"must be from {least:,} to below {most:,} for {depth} hidden layers",
            found=config.max_params,
            fix="Change it, model.depth or data.context.",
        )
    return shape_widths(shape, width, depth)


def check(config: ModelConfig) -> None:
    """Check the rules of the `model` group that its types cannot express.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    if config.widths is not None:
        _check_listed(config, config.widths)
        num_layers = len(config.widths)
    else:
        num_layers = _check_shaped(config)
    for dropout in layer_dropouts(config, num_layers):
        if not 0 <= dropout < 1:
            raise ConfigError("model.dropout", "must be at least 0 and below 1", found=dropout)
    if isinstance(config.dropout, list) and len(config.dropout) != num_layers:
        raise ConfigError(
            "model.dropout",
            f"must list one number a hidden layer, here {num_layers}",
            found=config.dropout,
            fix="Or give a single number for all.",
        )


def _check_listed(config: ModelConfig, widths: list[int]) -> None:
    _check_range("model.widths, its length,", len(widths), 0, MAX_DEPTH)
    for width in widths:
        _check_range("model.widths", width, 1, MAX_WIDTH)
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


def _check_shaped(config: ModelConfig) -> int:
    if config.depth is None:
        raise ConfigError(
            "model.depth",
            "must be given where model.widths is null",
            fix="Add model.depth=4 or so, or list model.widths.",
        )
    _check_range("model.depth", config.depth, 1, MAX_DEPTH)
    if config.width is not None:
        _check_range("model.width", config.width, 1, MAX_WIDTH)
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


def _check_range(key: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(key, f"must be between {low:,} and {high:,}", found=value)


def layer_dropouts(config: ModelConfig, num_layers: int) -> list[float]:
    """Share of units dropped in each hidden layer."""
    dropout = config.dropout
    return dropout if isinstance(dropout, list) else [dropout] * num_layers
