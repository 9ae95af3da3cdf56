"""Converts a RunConfig to plain values and back without Hydra, for machines that lack it."""

from dataclasses import asdict, fields, is_dataclass
from typing import Any, cast, get_type_hints

from framesweep.config import SCHEMAS, RunConfig


def to_plain(config: RunConfig) -> dict[str, Any]:
    """Return nested dictionaries that JSON can hold, from which `from_plain` restores it."""
    return {"schemas": schema_names(config), "config": asdict(config)}


def from_plain(plain: dict[str, Any], changes: dict[str, Any] | None = None) -> RunConfig:
    """Return the config that `to_plain` converted.

    Args:
        plain: What `to_plain` returned.
        changes: Other values of some keys, by their dotted names as `data.context`.

    Raises:
        ConfigError: A value breaks a rule of its schema.
        KeyError: There is no such key, or `plain` lacks one that has been added since.
    """
    schemas = {group: SCHEMAS[group][name] for group, name in plain["schemas"].items()}
    values = _copy(plain["config"])
    for key, value in (changes or {}).items():
        *groups, name = key.split(".")
        node = values
        for group in groups:
            node = node[group]
        if name not in node:
            raise KeyError(key)
        node[name] = value
    built = {group: _build(schema, values.pop(group)) for group, schema in schemas.items()}
    return cast(RunConfig, _build(RunConfig, {**values, **built}))


def schema_names(config: RunConfig) -> dict[str, str]:
    """Return the name in SCHEMAS of the schema of each group."""
    return {
        group: next(
            name for name, schema in schemas.items() if schema is type(getattr(config, group))
        )
        for group, schemas in SCHEMAS.items()
    }


def flatten(config: RunConfig) -> dict[str, Any]:
    """Return each value of a config by its dotted key, as `data.context`."""
    flat: dict[str, Any] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                visit(f"{prefix}.{key}" if prefix else str(key), child)
        else:
            flat[prefix] = value

    visit("", asdict(config))
    return flat


def _build(schema: type, values: dict[str, Any]) -> Any:
    """Return an instance of a dataclass, building the dataclasses that it contains."""
    types = get_type_hints(schema)
    arguments = {}
    for field in fields(cast(Any, schema)):
        value = values[field.name]
        nested = is_dataclass(types[field.name]) and isinstance(value, dict)
        arguments[field.name] = _build(types[field.name], value) if nested else value
    return schema(**arguments)


def _copy(value: Any) -> Any:
    """Return a copy of nested dictionaries, whose other values are shared."""
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    return value
