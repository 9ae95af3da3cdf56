"""Between Hydra's or YAML's untyped configs and the typed RunConfig."""

import pkgutil
import secrets
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import free_overrides
from framesweep.config.groups import (
    describe_groups,
    find_conf,
    options_without_file,
    register_renamed_groups,
)
from framesweep.credentials import scrub
from framesweep.errors import ConfigError

_BAD_YAML = (OmegaConfBaseException, YAMLError, KeyError, AttributeError, ValueError)

CONFIG = "config.yaml"
"""A run's config in its directory, and beside its weights."""

PROCESS_ID = secrets.token_hex(3)
"""Tells runs apart that start in the same second."""

FOLDERS = ("root", "cache")
"""Keys of `data`: they mean the same wherever a run is used later."""

LARGEST = {int: 2**63 - 1, float: 3.4e38}
"""Of a config's numbers: what 64 bits hold, and what float32 does."""


def register() -> None:
    """Makes schemas and resolvers known to Hydra; once a process is enough."""
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig, package="_global_", replace=True)
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            store.store(group=f"schema/{group}", name=name, node=schema, replace=True)
    for group, name in options_without_file():
        store.store(group=group, name=name, node=SCHEMAS[group][name], replace=True)
    register_renamed_groups()
    OmegaConf.register_resolver("framesweep.groups", describe_groups, replace=True)
    OmegaConf.register_resolver("framesweep.id", lambda: PROCESS_ID, replace=True)
    OmegaConf.register_resolver("framesweep.directions", directions, replace=True)
    OmegaConf.register_resolver("framesweep.free_overrides", free_overrides, replace=True)


def directions(objective: str, further: ListConfig) -> list[str]:
    """Return "minimize" or "maximize" for each objective of a search.

    An unknown metric is maximized here; the validation of the complete config rejects it.
    """
    # Resolved by name when a search starts: the registry imports torch, --help must not.
    metrics = pkgutil.resolve_name("framesweep.evaluation.metrics:METRICS")
    return [
        "maximize" if name not in metrics or metrics[name].maximize else "minimize"
        for name in (objective, *further)
    ]


def to_run_config(config: DictConfig, cwd: Path | None = None) -> RunConfig:
    """A composed config as a RunConfig, its folders made absolute.

    Args:
        cwd: where relative ones start; None for the working directory.

    Raises:
        ConfigError: a key was added that is not there, or a number is beyond all measure.
    """
    try:
        run_config = cast(RunConfig, OmegaConf.to_object(config))
    except AttributeError as error:
        key = str(error).partition("attribute '")[2].partition("'")[0]
        raise ConfigError(key, "no such key", fix="Leave it out.") from None
    for key, value in flatten(run_config).items():
        _check_measure(key, value)
    start = Path.cwd() if cwd is None else cwd
    run_config.outputs = str(start / run_config.outputs)
    for key in FOLDERS:
        if folder := getattr(run_config.data, key):
            setattr(run_config.data, key, str(start / Path(folder).expanduser()))
    return run_config


def _check_measure(key: str, value: Any) -> None:
    for number in value if isinstance(value, list) else [value]:
        largest = LARGEST.get(type(number))
        if largest is not None and not abs(number) <= largest:
            raise ConfigError(key, f"must be a number of at most {largest:.2g}", found=number)


def compose(overrides: list[str]) -> RunConfig:
    """The config that train.py would run with these overrides."""
    with hydra.initialize_config_dir(str(find_conf())):
        return to_run_config(hydra.compose("config", overrides))


def dump(config: RunConfig) -> str:
    """YAML from which `load` makes an equal RunConfig, credentials taken out of its URIs."""
    names = {
        group: next(
            n for n, schema in schemas.items() if schema is type(getattr(config, group))
        )
        for group, schemas in SCHEMAS.items()
    }
    return scrub(OmegaConf.to_yaml({"schemas": names, "config": OmegaConf.structured(config)}))


def load(text: str, overrides: list[str], where: object) -> RunConfig:
    """A RunConfig from `dump`'s YAML, with `key=value` overrides on top.

    Raises:
        ConfigError: the text is not such YAML, or an override does not fit.
    """
    try:
        saved = cast(DictConfig, OmegaConf.create(text))
        config = OmegaConf.structured(RunConfig)
        for group, name in saved.schemas.items():
            config[group] = OmegaConf.structured(SCHEMAS[str(group)][name])
        config = OmegaConf.merge(config, saved.config)
        OmegaConf.to_container(config, throw_on_missing=True)
    except _BAD_YAML as error:
        rule = f"must be a run's config ({_first_line(error)})"
        raise ConfigError(where, rule) from None
    for override in overrides:
        try:
            config = OmegaConf.merge(config, OmegaConf.from_dotlist([override]))
            OmegaConf.to_container(config, resolve=True)
        except _BAD_YAML as error:
            rule = f"must be a key and a value of it ({_first_line(error)})"
            raise ConfigError(override.partition("=")[0], rule, found=override) from None
    return cast(RunConfig, OmegaConf.to_object(config))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]


def flatten(config: RunConfig) -> dict[str, Any]:
    """Every value by its dotted key, as `data.context`."""
    container = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.structured(config)))
    flat: dict[str, Any] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                visit(f"{prefix}.{key}" if prefix else str(key), child)
        else:
            flat[prefix] = value

    visit("", container)
    return flat
