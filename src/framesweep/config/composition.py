"""Converts between untyped configs, of Hydra or in YAML, and the typed RunConfig.

Hydra is imported by the functions that compose: `load` must work without it, because a logged
model reads its config where Hydra need not be installed.
"""

import functools
import os
import pkgutil
import secrets
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import free_overrides
from framesweep.config.groups import (
    RENAMED_GROUPS,
    find_conf,
    option_groups,
    options_without_file,
    register_renamed_groups,
)
from framesweep.config.paths import CONFIG_FILE as CONFIG_FILE  # noqa: PLC0414
from framesweep.config.paths import (
    default_outputs,
    expand,
    expand_override,
    make_paths_absolute,
    sqlite_url,
)
from framesweep.config.plain import flatten, to_plain
from framesweep.config.ray_workers import describe_worker_environment
from framesweep.config.reference.help_page import describe_help
from framesweep.config.setting import EARLIER
from framesweep.credentials import scrub
from framesweep.errors import ConfigError

_BAD_YAML = (OmegaConfBaseException, YAMLError, KeyError, AttributeError, ValueError)

CHECKSUM_LINE = "# checksum: "
"""Beginning of the first line of that file, with the CRC-32 of the lines below."""

MAX_NUMBERS = {int: 2**63 - 1, float: 3.4e38}
"""Largest values of numbers: those of a 64-bit integer and of float32."""


def process_id() -> str:
    """Return what distinguishes the directories of runs that started in the same second."""
    return _process_id(os.getpid())


@functools.cache
def _process_id(pid: int) -> str:  # the process that is forked from another has its own
    return secrets.token_hex(3)


def register(directory_id: str | None = None) -> None:
    """Register schemas, renamed groups and resolvers with Hydra.

    Args:
        directory_id: Part of the names of the directories of runs and grids; None for that of
            the process.
    """
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    _store_schema(store, "schema", "run", RunConfig, "_global_")
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            _store_schema(store, f"schema/{group}", name, schema)
    for group, name in options_without_file():
        _store_schema(store, group, name, SCHEMAS[group][name])
    register_renamed_groups()
    OmegaConf.register_resolver("framesweep.help", describe_help, replace=True)
    # A launcher gives the resolvers to the processes of its jobs, which use its directories.
    identity = directory_id or process_id()
    OmegaConf.register_resolver("framesweep.id", lambda: identity, replace=True)
    OmegaConf.register_resolver("framesweep.default_outputs", default_outputs, replace=True)
    OmegaConf.register_resolver("framesweep.directions", directions, replace=True)
    OmegaConf.register_resolver("framesweep.gpus", count_requested_gpus, replace=True)
    OmegaConf.register_resolver("framesweep.free_overrides", free_overrides, replace=True)
    OmegaConf.register_resolver("framesweep.expand", expand, replace=True)
    OmegaConf.register_resolver("framesweep.sqlite_url", sqlite_url, replace=True)
    OmegaConf.register_resolver(
        "framesweep.ray_environment", describe_worker_environment, replace=True
    )
    OmegaConf.register_resolver(
        "framesweep.renamed_groups", lambda: RENAMED_GROUPS, replace=True
    )


@functools.cache  # a store converts each schema to a config, which takes milliseconds
def _store_schema(
    store: Any, group: str, name: str, schema: type, package: str | None = None
) -> None:
    store.store(group=group, name=name, node=schema, package=package, replace=True)


def directions(objective: str, further: ListConfig | list[str]) -> list[str]:
    """Return "minimize" or "maximize" for each objective of a search.

    An unknown metric is maximized here; the validation of the complete config rejects it.
    """
    # Resolved by name when a search starts: the registry imports torch, --help must not.
    metrics = pkgutil.resolve_name("framesweep.evaluation.metrics:METRICS")
    return [
        "maximize" if name not in metrics or metrics[name].maximize else "minimize"
        for name in (objective, *further)
    ]


def count_requested_gpus(device: str, processes: int, default: str) -> int | None:
    """Return how many GPUs a job requests of a scheduler, or None for none.

    Args:
        device: `hardware.device`.
        processes: `hardware.processes`, each of which uses one GPU.
        default: What a job requests if the device is auto: "always" its GPUs, or "here" only if
            the machine that starts the jobs has a GPU, for schedulers that would otherwise
            never start them.
    """
    if device == "auto" and default == "here":
        # Resolved by name when a sweep starts: the module imports torch, --help must not.
        detect_gpu = pkgutil.resolve_name("framesweep.system.gpus:detect_gpu")
        return None if detect_gpu() is None else processes
    return processes if device in ("auto", "cuda") else None


def to_run_config(config: DictConfig, cwd: Path | None = None) -> RunConfig:
    """Return a composed config as a RunConfig, with absolute paths.

    Args:
        config: The config that Hydra composed.
        cwd: The directory that relative paths start from; None for the working directory.

    Raises:
        ConfigError: if a key does not exist, a value breaks a rule of its schema, or a number
            is too large for a 64-bit integer or float32.
    """
    try:
        run_config = cast(RunConfig, OmegaConf.to_object(config))
    except AttributeError as error:
        key = str(error).partition("attribute '")[2].partition("'")[0]
        raise ConfigError(key, "no such key", fix="Remove it.") from None
    for key, value in flatten(run_config).items():
        _require_representable(key, value)
    make_paths_absolute(run_config, Path.cwd() if cwd is None else cwd)
    return run_config


def _require_representable(key: str, value: Any) -> None:
    for number in value if isinstance(value, list) else [value]:
        largest = MAX_NUMBERS.get(type(number))
        if largest is not None and not abs(number) <= largest:
            raise ConfigError(key, f"must be a number of at most {largest:.2g}", found=number)


def compose(overrides: list[str]) -> RunConfig:
    """Return the config that train.py would run with these overrides."""
    import hydra

    with hydra.initialize_config_dir(str(find_conf())):
        return to_run_config(hydra.compose("config", [*map(expand_override, overrides)]))


def dump(config: RunConfig) -> str:
    """Return YAML from which `load` restores the config, without credentials in its URIs."""
    text = scrub(OmegaConf.to_yaml(to_plain(config)))
    return f"{CHECKSUM_LINE}{_checksum(text)}\n{text}"


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _require_intact(text: str, where: object) -> None:
    """Raise ConfigError if the text has a checksum, and it is not that of the lines above."""
    first, _, rest = text.partition("\n")
    if first.startswith(CHECKSUM_LINE) and first != CHECKSUM_LINE + _checksum(rest):
        raise ConfigError(
            where,
            "must be as it was written, but its checksum differs",
            fix="If you have edited it, delete its first line; otherwise it is damaged.",
        )


def load(text: str, overrides: list[str], where: object) -> RunConfig:
    """Return the config that `dump` wrote, changed by `key=value` overrides.

    Args:
        text: The YAML of `dump`.
        overrides: The overrides; options of groups can't be changed. Their relative paths start
            from the working directory.
        where: The file of `text`, for error messages.

    Raises:
        ConfigError: if the text is no config of a run, or an override is not valid.
    """
    _require_intact(text, where)
    try:
        saved = cast(DictConfig, OmegaConf.create(text))
        config = OmegaConf.structured(RunConfig)
        for group, name in saved.schemas.items():
            config[group] = _with_earlier_values(SCHEMAS[str(group)][name])
        config = cast(DictConfig, OmegaConf.merge(config, saved.config))
        OmegaConf.to_container(config, throw_on_missing=True)
    except _BAD_YAML as error:
        rule = f"must be the config of a run ({_first_line(error)})"
        raise ConfigError(where, rule) from None
    for override in map(expand_override, overrides):
        config = _merge_override(config, override)
    run_config = cast(RunConfig, OmegaConf.to_object(config))
    if keys := [override.partition("=")[0] for override in overrides]:
        make_paths_absolute(run_config, Path.cwd(), keys)
    return run_config


def _merge_override(config: DictConfig, override: str) -> DictConfig:
    key, equals, _ = override.partition("=")
    if not equals:
        raise ConfigError(override, "must be KEY=VALUE")
    if key in option_groups():
        rule = "options cannot be chosen for a run that exists, as when it is resumed"
        raise ConfigError(key, rule, found=override, fix="Set single keys, or start a new run.")
    try:
        merged = OmegaConf.merge(config, OmegaConf.from_dotlist([override]))
        OmegaConf.to_container(merged, resolve=True)
    except _BAD_YAML as error:
        rule = f"must be an existing key with a valid value ({_first_line(error)})"
        raise ConfigError(key, rule, found=override) from None
    return cast(DictConfig, merged)


def _with_earlier_values(schema: type) -> DictConfig:
    """Return the defaults of a schema; of a key that was added later, what came before it."""
    config = OmegaConf.structured(schema)
    for field in fields(cast(Any, schema)):
        if EARLIER in field.metadata:
            config[field.name] = field.metadata[EARLIER]
    return cast(DictConfig, config)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]
