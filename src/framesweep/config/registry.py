"""The registry of options: a schema file enters itself with `@option`.

A reader, network or optimizer is two files: its schema in `config/readers`, `config/networks`
or `config/optimizers`, and its code in the package that builds it. The schema names that code
as text, so that composing a config, `--help` and completion import neither torch nor readers.
"""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

Schema = TypeVar("Schema", bound=type)

GROUPS = ("data", "model", "optim", "augment", "hardware", "tracking")

SCHEMAS: dict[str, dict[str, type]] = {group: {} for group in GROUPS}
"""Schemas by group and name; a YAML file includes one by `/schema/<group>@_here_: <name>`."""

_BUILDERS: dict[type, str] = {}


def option(group: str, name: str, *, built_by: str = "") -> Callable[[Schema], Schema]:
    """Return a decorator that enters a dataclass into SCHEMAS as `name` of `group`.

    Args:
        group: The config group.
        name: The name of the schema, and of the option if no YAML file includes the schema.
        built_by: `module:name` of the class or function that `builder_of` returns.
    """

    def enter(schema: Schema) -> Schema:
        SCHEMAS[group][name] = schema
        _BUILDERS[schema] = built_by
        return schema

    return enter


def builder_of(config: object) -> Any:
    """Import and return what the schema of `config` names in `built_by`."""
    return pkgutil.resolve_name(_BUILDERS[type(config)])


def discover(package: ModuleType) -> None:
    """Import every module of `package`, so that the schemas in it enter themselves."""
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
