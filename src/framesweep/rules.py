"""The rules of a whole config, which need no data."""

from framesweep import augment, averaging, hardware, model, optim
from framesweep.config import RunConfig, TdnnConfig, TrainConfig
from framesweep.data import store
from framesweep.errors import ConfigError
from framesweep.evaluation import METRICS

MAX_EPOCHS = 1_000_000


def check(config: RunConfig) -> None:
    """Checks every rule that needs no data, before anything is read or made.

    Raises:
        ConfigError: naming the key, its rule, the value and the fix.
    """
    store.check(config.data)
    model.check(config.model, config.data.context)
    optim.check(config.optim)
    augment.check(config.augment)
    hardware.check(config.hardware)
    _check_objectives(config)
    averaging.check(config.train)
    if config.train.order == "windows" and isinstance(config.model, TdnnConfig):
        raise ConfigError(
            "train.order",
            "must be shuffle for model=tdnn, which reads runs of neighbouring frames anyway",
            found=config.train.order,
        )
    if config.train.final_batch_size is not None and config.optim.schedule == "step":
        raise ConfigError(
            "train.final_batch_size",
            "cannot go with optim.schedule=step, whose epochs must be of one length",
            found=config.train.final_batch_size,
        )
    _check_train(config.train)


def _check_objectives(config: RunConfig) -> None:
    for name in (config.objective, *config.further_objectives):
        # A network's size is the same in every epoch: it can be searched for, not chosen by.
        known = METRICS - {"model/params"} if name == config.objective else METRICS
        if name not in known:
            raise ConfigError(
                "objective", f"must be one of {' '.join(sorted(known))}", found=name
            )


def _check_train(config: TrainConfig) -> None:
    for key in (
        "epochs",
        "batch_size",
        "final_batch_size",
        "window_frames",
        "patience",
        "max_minutes",
        "checkpoint_minutes",
    ):
        value = getattr(config, key)
        least_is_one = key not in ("max_minutes", "checkpoint_minutes")
        if value is not None and not (value >= 1 if least_is_one else value > 0):
            rule = "must be 1 or more" if least_is_one else "must be above 0"
            raise ConfigError(f"train.{key}", rule, found=value)
    if config.epochs > MAX_EPOCHS:
        raise ConfigError(
            "train.epochs", f"must be at most {MAX_EPOCHS:,}", found=config.epochs
        )
