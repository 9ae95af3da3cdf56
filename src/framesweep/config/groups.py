"""The groups and options in conf/, and groups that have been renamed."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

import yaml

from framesweep.config import SCHEMAS

RENAMED_GROUPS = {"lever": "ablation"}
"""Earlier and present name of groups; the earlier one works until the next version."""

LINE_LENGTH = 80

UNLISTED = "_"
"""How the names of the files in conf/ begin that only recipes choose.

For example, conf/model/_timit.yaml has the network of recipe=timit, which chooses it like an
option. `recipe=timit model=tdnn` replaces it as a whole. If its keys, as `widths`, were in
conf/recipe/timit.yaml instead, they would be set in the network that was typed, too, which need
not have them. Keys that all options of a group have, as `optim.schedule`, are in the recipe's
file: there they also hold for a typed option.
"""


def find_conf() -> Path:
    """Return the conf folder: that of the checkout if there is one, else the package's."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if (checkout / "config.yaml").exists() else package / "conf"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a group, as `model=wide`.

    Attributes:
        group: The name of its group.
        name: Its name.
        summary: The comment at the top of its file, or the docstring of its schema.
        schema: The name of the schema that it includes; "" if it sets keys of several groups.
        values: The keys that it sets and their values, without those of the schema.
    """

    group: str
    name: str
    summary: str
    schema: str
    values: dict[str, Any]


def read_options(group: str) -> list[Option]:
    """Return the options of a group, in alphabetical order."""
    return [_read_option(group, name) for name in option_groups()[group]]


def _read_option(group: str, name: str) -> Option:
    path = find_conf() / group / f"{name}.yaml"
    if not path.exists():
        return Option(group, name, cleandoc(SCHEMAS[group][name].__doc__ or ""), name, {})
    text = path.read_text("utf-8")
    comments = re.match(r"((?:#.*\n)*)", text)
    assert comments is not None
    lines = [line.lstrip("# ") for line in comments.group(1).splitlines()]
    summary = " ".join(line for line in lines if not line.startswith("@package"))
    schema = re.search(rf"/schema/{group}@_here_: (\w+)", text)
    values = _parse_yaml(text) or {}
    values.pop("defaults", None)
    return Option(group, name, summary, schema.group(1) if schema else "", values)


def _parse_yaml(text: str) -> Any:
    # libyaml's parser is eight times as fast, but PyYAML may have been built without it.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def default_options() -> list[Option]:
    """Return the option of each group that `train.py` uses unless another one is typed.

    There is none in the code that is logged with a model, which has no conf folder. A process
    that has loaded such a model, and those that it starts, may import that code.
    """
    return _read_defaults(find_conf() / "config.yaml")


@cache
def _read_defaults(path: Path) -> list[Option]:
    if not path.exists():
        return []
    config = _parse_yaml(path.read_text("utf-8"))
    chosen = [
        (group, name)
        for one in config["defaults"]
        if one != "_self_"
        for group, name in one.items()
    ]
    return [_read_option(group, name) for group, name in chosen if group in SCHEMAS]


def option_groups() -> dict[str, list[str]]:
    """Return the names of the options of each group, as `model: [base, conv, ...]`.

    The files that only recipes choose are left out.
    """
    groups: dict[str, list[str]] = {}
    files = ((path.parent.name, path.stem) for path in find_conf().glob("*/*.yaml"))
    for group, name in sorted([*files, *options_without_file()]):
        if not name.startswith(UNLISTED):
            groups.setdefault(group, []).append(name)
    return groups


def hide_unlisted(argument: str) -> str:
    """Return an override whose glob, as in `model=glob(*)`, leaves out what is not listed."""
    key, equals, value = argument.partition("=")
    glob = re.fullmatch(r"\s*glob\((.*)\)\s*", value)
    if glob is None or not equals:
        return argument
    excluded = re.search(r",\s*exclude\s*=\s*(\[[^]]*\]|[^,]+)", glob.group(1))
    if excluded is None:
        return f"{key}=glob({glob.group(1)},exclude={UNLISTED}*)"
    others = excluded.group(1).strip("[] ")
    included = glob.group(1).replace(excluded.group(0), "")
    return f"{key}=glob({included},exclude=[{others},{UNLISTED}*])"


def options_without_file() -> Iterator[tuple[str, str]]:
    """Yield the group and name of each schema that no YAML file of its group includes.

    Such a schema is an option by itself, with its defaults as values.
    """
    for group, schemas in SCHEMAS.items():
        files = [path.read_text("utf-8") for path in (find_conf() / group).glob("*.yaml")]
        included = set(re.findall(rf"/schema/{group}@_here_: (\w+)", "\n".join(files)))
        yield from ((group, name) for name in schemas if name not in included)


def describe_groups() -> str:
    """Return one paragraph for each group and its options, for `python train.py --help`."""
    return "\n".join(
        textwrap.fill(f"{group}: {', '.join(options)}", LINE_LENGTH, subsequent_indent="  ")
        for group, options in option_groups().items()
    )


def describe_options(group: str) -> str:
    """Return what each option of a group is for, in lines of at most 80 columns."""
    options = read_options(group)
    width = max(len(option.name) for option in options) + 4
    return "\n".join(
        textwrap.fill(
            option.summary,
            LINE_LENGTH,
            initial_indent=f"  {option.name}".ljust(width),
            subsequent_indent=" " * width,
        )
        for option in options
    )


def register_renamed_groups() -> None:
    """Let Hydra accept the earlier name of a group: each option chooses the present one."""
    # Completion reads groups too, and must not wait for Hydra to be imported; a logged model
    # reads its config where Hydra need not be installed.
    from hydra.core.config_store import ConfigStore

    store, options = ConfigStore.instance(), option_groups()
    for earlier, present in RENAMED_GROUPS.items():
        for name in options[present]:
            _store_alias(store, earlier, present, name)


@cache  # a store converts each alias to a config, which takes milliseconds
def _store_alias(store: Any, earlier: str, present: str, name: str) -> None:
    alias = {"defaults": [{f"override /{present}": name}]}
    store.store(group=earlier, name=name, node=alias, package="_global_", replace=True)


def rename_warnings(overrides: Iterable[str]) -> Iterator[str]:
    """Yield a line for each override of a renamed group that says what to type instead."""
    for override in overrides:
        key, equals, value = override.partition("=")
        group = key.lstrip("+").removeprefix("hydra.sweeper.params.")
        if equals and group in RENAMED_GROUPS:
            present = key.replace(group, RENAMED_GROUPS[group])
            yield f"{key}: has been renamed. Type {present}={value}"
