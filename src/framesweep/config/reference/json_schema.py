"""A JSON schema of config files, by which editors complete keys and underline errors.

See https://json-schema.org/draft/2020-12 and, for the comment by which an editor finds the
schema of a file, https://github.com/redhat-developer/yaml-language-server.
"""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.groups import option_groups
from framesweep.config.key_ranges import RANGES, Range
from framesweep.config.reference.key_docs import read_meanings
from framesweep.config.setting import UNIT
from framesweep.errors import ConfigError

DIALECT = "https://json-schema.org/draft/2020-12/schema"

INTERPOLATION = {"$ref": "#/$defs/interpolation"}

COMMON: dict[str, Any] = {
    "interpolation": {
        "type": "string",
        "pattern": r"^.*\$\{.*\}.*$",
        "description": "Another key or a resolver, such as ${outputs}, in place of a value.",
    },
    "defaults": {
        "type": "array",
        "description": "Hydra's list of the options that this file includes.",
        "items": {"type": ["string", "object"]},
    },
}
"""Definitions that all schemas share."""


def build_json_schema(group: str = "") -> dict[str, Any]:
    """Return the schema of the files of a group, as conf/model/mine.yaml.

    Args:
        group: the name of the group; "" for files that set keys of several groups, which are
            complete configs, recipes and sweeps.

    Raises:
        ConfigError: there is no such group with keys of its own.
    """
    if group and group not in SCHEMAS:
        raise ConfigError(
            "PATTERN",
            f"must be one of the groups {', '.join(SCHEMAS)} with --json-schema",
            found=group,
            fix="Recipes, ablations and sweeps have the schema of whole configs.",
        )
    definitions = {**COMMON, **dict(_define_options(files=bool(group)))}
    head = {"$schema": DIALECT, "title": f"framesweep {group or 'config'}".strip()}
    body = _choose_option(group) if group else _describe_run()
    return {**head, **body, "$defs": definitions}


def _define_options(*, files: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the schema of each option; those of files may include others."""
    for group, options in SCHEMAS.items():
        for name, schema in options.items():
            described = _describe_keys(schema, f"{group}.")
            if files:
                described["properties"]["defaults"] = {"$ref": "#/$defs/defaults"}
            yield f"{group}.{name}", described


def _describe_run() -> dict[str, Any]:
    described = _describe_keys(RunConfig, "")
    listed = ", ".join(option_groups())
    described["properties"] |= {
        "defaults": {"$ref": "#/$defs/defaults"},
        "hydra": {
            "type": "object",
            "description": f"Hydra's own config, with the sweeper in hydra.sweeper. The groups "
            f"of framesweep are {listed}.",
        },
    }
    return described


def _choose_option(group: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{group}.{name}"} for name in SCHEMAS[group]]}


def _describe_keys(schema: type, prefix: str) -> dict[str, Any]:
    """Return the schema of the keys of a dataclass, none of which must be there."""
    kinds, meanings = get_type_hints(schema), read_meanings(schema)
    properties: dict[str, Any] = {}
    for field in fields(cast(Any, schema)):
        key, kind = f"{prefix}{field.name}", kinds[field.name]
        if key in SCHEMAS:
            properties[field.name] = _choose_option(key)
        elif is_dataclass(kind):
            properties[field.name] = _describe_keys(cast(type, kind), f"{key}.")
        else:
            unit = field.metadata.get(UNIT, "")
            text = meanings.get(field.name, "") + (f" Unit: {unit}." if unit else "")
            properties[field.name] = {
                "anyOf": [*_describe_type(kind, RANGES.get(key, {})), INTERPOLATION],
                "description": text,
                "default": field.default
                if field.default_factory is MISSING
                else field.default_factory(),
            }
    return {
        "type": "object",
        "description": " ".join((schema.__doc__ or "").split()),
        "properties": properties,
        "additionalProperties": False,
    }


def _describe_type(kind: Any, limits: Range) -> list[dict[str, Any]]:
    """Return the schemas of which a value of a type must satisfy one."""
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return [{"enum": list(arguments)}]
    if get_origin(kind) is list:
        items = {"anyOf": [*_describe_type(arguments[0], limits), INTERPOLATION]}
        return [{"type": "array", "items": items}]
    if get_origin(kind) is dict:
        values = {"anyOf": [*_describe_type(arguments[1], limits), INTERPOLATION]}
        return [{"type": "object", "additionalProperties": values}]
    if arguments:
        return [one for part in arguments for one in _describe_type(part, limits)]
    # Hydra turns a number into a text where a text is expected, as in `run_name: 5`.
    simple: dict[Any, dict[str, Any]] = {
        NoneType: {"type": "null"},
        bool: {"type": "boolean"},
        int: {"type": "integer", **limits},
        float: {"type": "number", **limits},
        str: {"type": ["string", "number"]},
    }
    return [simple.get(kind, {})]
