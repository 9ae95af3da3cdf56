"""Renders the documentation of the config keys: docs/config.md, and text for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator

from framesweep.config import SCHEMAS
from framesweep.config.command_line import train_command
from framesweep.config.groups import Option, describe_options, option_groups, read_options
from framesweep.config.reference.key_docs import KeyDoc, document_keys, to_yaml

LINE_LENGTH = 80

INTRODUCTION = """\
# Config keys

<!-- Generated from the schemas: framesweep keys --markdown > docs/config.md -->

`python train.py data=hw1p2 data.context=15` chooses an option of a group (`data=hw1p2`, a file
in [conf/](../conf)) and sets a key (`data.context=15`). This page lists all groups, options and
keys. `framesweep keys data.context` prints the entry of a key, and `framesweep keys data` those
of a group. The default is that of the schema; an option can set another value.

Values are written in YAML: `null` means that nothing is set, `[1, 2]` is a list and `{a: 1}` a
dictionary. In a shell, quote values with spaces or brackets: `'model.widths=[512, 512]'`.

Editors with the YAML language server, such as VS Code with the extension "YAML", complete keys
and underline errors in files of your own. Write the schema with
`framesweep keys --json-schema > framesweep.schema.json`, and name it in the first line of the
file. A file of one group has a schema of its own: `framesweep keys --json-schema model`.

```yaml
# yaml-language-server: $schema=framesweep.schema.json
# @package _global_
defaults:
  - override /model: wide

data:
  context: 15
```

The column *affects* says what a change of the key affects:

| affects | meaning | when a run is resumed | when a study is continued |
|---|---|---|---|
| result | the trained weights, from the first step on | may not change | may not change |
| end | when training ends, and what is measured then | may change | may not change |
| rounding | the weights, up to rounding errors | may change | may change |
| nothing | neither weights nor metrics | may change | may change |

`train.epochs` affects the result if the schedule, the batch size, the averaging of weights or
the share of the utterances (`data.share_growth`) depends on the number of epochs.
`data.shift_ms` affects only what is measured where features are stored.
"""

TITLES = {
    "data": "Corpus and features",
    "model": "Network",
    "optim": "Optimizer, learning rate and loss",
    "augment": "Augmentation",
    "hardware": "Hardware",
    "tracking": "Tracking",
    "train": "Training",
    "sweep": "Sweeps",
    "hydra.sweeper": "Searches",
    "": "The run",
    "recipe": "Recipes: settings of several groups",
    "ablation": "Ablations: single changes to a recipe",
}


def render_text(docs: Iterable[KeyDoc]) -> str:
    """Return the documentation of keys as text of at most 80 columns, an entry for each key."""
    listed = list(docs)
    # Once per schema: to find the options that have it, all files of its group are read.
    schemas = {doc.schema: doc.key.partition(".")[0] for doc in listed}
    options = {schema: _options_of(schema, group) for schema, group in schemas.items()}
    return "\n\n".join("\n".join(_entry(doc, options[doc.schema])) for doc in listed)


def render_options(groups: Iterable[str]) -> str:
    """Return what each option of some groups is for, as text of at most 80 columns."""
    return "\n\n".join(
        f"{group}=OPTION\n{describe_options(group)}\n"
        f"  Print what an option sets: {train_command([f'{group}=OPTION', '--cfg', 'job'])}"
        for group in groups
    )


def _entry(doc: KeyDoc, options: str) -> Iterator[str]:
    def indented(text: str) -> str:
        return textwrap.fill(
            text,
            LINE_LENGTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )

    yield f"{doc.key}{f'  (only {options})' if options else ''}"
    unit = f", unit {doc.unit}" if doc.unit else ""
    yield indented(f"{doc.type}{unit}, default {doc.default}, affects {doc.affects}")
    yield indented(doc.meaning)


def _options_of(schema: type, group: str) -> str:
    """Return the options of a group that have the keys of `schema`; "" if all have them."""
    options = read_options(group) if group in SCHEMAS else []
    having = [one for one in options if issubclass(SCHEMAS[group][one.schema], schema)]
    if len(having) == len(options):
        return ""
    return f"{group}={','.join(option.name for option in having)}"


def render_markdown() -> str:
    """Return the page that documents every group, option and key."""
    groups = [*dict.fromkeys(doc.key.rpartition(".")[0] for doc in document_keys())]
    others = [group for group in option_groups() if group not in groups]
    sections = ["\n".join(_section(group)) for group in [*groups, *others]]
    return "\n".join([INTRODUCTION, *sections])


def _section(group: str) -> Iterator[str]:
    yield f"## {TITLES.get(group, group)}{f': `{group}`' if group else ''}\n"
    if group in option_groups():
        yield from _options_table(read_options(group))
    by_schema: dict[type, list[KeyDoc]] = {}
    for doc in document_keys():
        if doc.key.rpartition(".")[0] == group:
            by_schema.setdefault(doc.schema, []).append(doc)
    heading = ""
    for schema, docs in by_schema.items():
        options = _options_of(schema, group)
        # Schemas that the same options have follow under one heading.
        if options and options != heading:
            yield f"### Keys of `{options}`\n"
        heading = options
        yield f"{' '.join((schema.__doc__ or '').split())}\n"
        yield "| key | type | default | unit | affects | meaning |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(doc) for doc in docs)
        yield ""


def _options_table(options: list[Option]) -> Iterator[str]:
    several_groups = not options[0].schema
    yield "| option | description |" + ("" if several_groups else " sets |")
    yield "|---|---|" + ("" if several_groups else "---|")
    for option in options:
        row = f"| `{option.group}={option.name}` | {_escaped(option.summary)} |"
        sets = ", ".join(f"`{key}: {to_yaml(value)}`" for key, value in option.values.items())
        yield row if several_groups else f"{row} {sets} |"
    yield ""


def _row(doc: KeyDoc) -> str:
    cells = (f"`{doc.key}`", doc.type, f"`{doc.default}`", doc.unit, doc.affects, doc.meaning)
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
