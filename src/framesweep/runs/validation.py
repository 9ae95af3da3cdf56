"""The rules that cross groups of a config; each schema checks its own group by itself."""

from framesweep.config import RunConfig
from framesweep.config.rules import require_metrics
from framesweep.data.phones import PhoneSet, find_foldings
from framesweep.errors import ConfigError
from framesweep.models.network import network_class

FOLDED_METRICS = ("dev/accuracy_", "dev/phone_error_rate_")
"""How the names of metrics begin that end with the name of a folding."""


def validate_across_groups(config: RunConfig) -> None:
    """Check the rules that cross groups and need no data, before a corpus is read.

    Raises:
        ConfigError: naming the key, its rule, the value found and the fix.
    """
    _validate_objectives(config)
    _validate_augmentation(config)
    chunk_shape = network_class(config.model).chunk_shape(config.model)
    if config.train.order == "windows" and chunk_shape is not None:
        raise ConfigError(
            "train.order",
            "must be shuffle for this network, which is trained on chunks of frames",
            found=config.train.order,
        )
    if config.optim.schedule == "step":
        _require_equal_epochs(config)


def _require_equal_epochs(config: RunConfig) -> None:
    """Raise ConfigError if the epochs of a run have different numbers of steps."""
    for key, found in (
        ("train.final_batch_size", config.train.final_batch_size),
        ("data.share_growth", config.data.share_growth if config.data.share_grows else None),
    ):
        if found is not None:
            raise ConfigError(
                key,
                "cannot be combined with optim.schedule=step, whose epochs must be of equal "
                "length",
                found=found,
            )


def _validate_augmentation(config: RunConfig) -> None:
    """Reject what imitates a change of a spectrum where the features are not one."""
    if not config.data.has_stored_features:
        return
    for key in ("shift", "freq_masks"):
        value = getattr(config.augment, key)
        if value:
            raise ConfigError(
                f"augment.{key}",
                "must be 0 for stored features, which have no neighboring mel bins",
                found=value,
                fix=f"Set augment.{key}=0.",
            )


def _validate_objectives(config: RunConfig) -> None:
    require_metrics(config.objective, config.further_objectives)
    for key, name in list_objectives(config):
        if name == "dev/edge_accuracy" and config.data.context == 0:
            raise ConfigError(
                key,
                "requires windows that reach beyond an utterance; data.context is 0",
                found=name,
            )


def validate_phones(config: RunConfig, phones: PhoneSet) -> None:
    """Raise ConfigError if an objective is not defined for the phones of the corpus."""
    fitting = {folding.name for folding in find_foldings(phones)}
    for key, name in list_objectives(config):
        prefix = next((p for p in FOLDED_METRICS if name.startswith(p)), None)
        if prefix is not None and (folding := name.removeprefix(prefix)) not in fitting:
            raise ConfigError(
                key,
                f"must be defined for the {len(phones)} phones of the corpus, but folding "
                f"{folding} is not",
                found=name,
            )


def list_objectives(config: RunConfig) -> list[tuple[str, str]]:
    """Return the key and the name of each metric that the config asks for as an objective."""
    further = [("further_objectives", name) for name in config.further_objectives]
    return [("objective", config.objective), *further]
