"""The rules of a whole config, nearly all of which need no data."""

from framesweep.config import RunConfig, TdnnConfig, TrainConfig
from framesweep.data.phones import PhoneSet, foldings
from framesweep.data.store import frame_store
from framesweep.errors import ConfigError
from framesweep.evaluation.metrics import METRICS
from framesweep.models import build
from framesweep.system import hardware
from framesweep.training import augmentation, weight_averaging

MAX_EPOCHS = 1_000_000


def check(config: RunConfig) -> None:
    """Checks every rule that needs no data, before anything is read or made.

    Raises:
        ConfigError: naming the key, its rule, the value and the fix.
    """
    frame_store.check(config.data)
    build.check(config.model, config.data.context)
    config.optim.validate()
    augmentation.check(config.augment)
    hardware.check(config.hardware)
    _check_objectives(config)
    weight_averaging.check(config.train)
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
    for key, name in _objectives(config):
        # A network's size is the same in every epoch: it can be searched for, not chosen by.
        known = METRICS.keys() - ({"model/params"} if key == "objective" else set())
        if name not in known:
            raise ConfigError(key, f"must be one of {' '.join(sorted(known))}", found=name)
        if name == "dev/edge_accuracy" and config.data.context == 0:
            raise ConfigError(
                key, "needs windows that pass an edge: data.context=0", found=name
            )


def check_phones(config: RunConfig, phones: PhoneSet) -> None:
    """Raises ConfigError for an objective that the corpus's phones do not give."""
    fitting = {f"dev/accuracy_{folding.name}" for folding in foldings(phones)}
    for key, name in _objectives(config):
        if name.startswith("dev/accuracy_") and name not in fitting:
            raise ConfigError(
                key,
                f"must fit the corpus's {len(phones)} phones, which folding "
                f"{name.removeprefix('dev/accuracy_')} does not",
                found=name,
            )


def _objectives(config: RunConfig) -> list[tuple[str, str]]:
    further = [("further_objectives", name) for name in config.further_objectives]
    return [("objective", config.objective), *further]


def is_of_fixed_length(config: RunConfig) -> bool:
    """Whether the course of training hangs on how many epochs there will be."""
    return (
        config.optim.schedule in ("onecycle", "cosine")
        or config.train.final_batch_size is not None
        or config.train.average == "swa"
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
