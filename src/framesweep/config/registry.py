"""Every option's schema by config group: a schema file enters itself with `@option`."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TypeVar

Schema = TypeVar("Schema", bound=type)

GROUPS = ("data", "model", "optim", "augment", "hardware", "tracking")

SCHEMAS: dict[str, dict[str, type]] = {group: {} for group in GROUPS}
"""Schemas by group and name; a YAML file includes one by `/schema/<group>@_here_: <name>`."""


def option(group: str, name: str) -> Callable[[Schema], Schema]:
    """Return a decorator that enters a dataclass into SCHEMAS as `name` of `group`."""

    def enter(schema: Schema) -> Schema:
        SCHEMAS[group][name] = schema
        return schema

    return enter


def discover(package: ModuleType) -> None:
    """Import every module of `package`, so that the schemas in it enter themselves."""
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
