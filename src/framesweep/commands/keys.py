"""framesweep keys: what the config keys mean."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from framesweep.commands.common.options import refuse_options
from framesweep.commands.common.output import echo_json, json_option
from framesweep.errors import ConfigError

if TYPE_CHECKING:
    from framesweep.config.reference.key_docs import KeyDoc


@click.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print docs/config.md.")
@click.option(
    "--json-schema",
    is_flag=True,
    help="Print a JSON schema for editors: of whole configs, or of the group in PATTERN.",
)
@json_option
def command(
    patterns: tuple[str, ...], *, markdown: bool, json_schema: bool, as_json: bool
) -> None:
    """Explain config keys: their type, unit, default and meaning.

    A PATTERN is a key (data.context), a group (data), the last part of a key (context), or a
    shell pattern ('data.*_share'). Without one, all keys are explained. Of a group, its options
    are explained, too; recipe and ablation have nothing else.
    """
    from framesweep.config.groups import option_groups, read_options
    from framesweep.config.reference.json_schema import build_json_schema
    from framesweep.config.reference.key_docs import document_keys, find_keys
    from framesweep.config.reference.key_pages import (
        render_markdown,
        render_options,
        render_text,
    )

    _refuse_what_is_ignored(click.get_current_context())
    if markdown:
        click.echo(render_markdown(), nl=False)
        return
    if json_schema:
        echo_json(build_json_schema(*patterns[:1]))
        return
    described = document_keys()
    groups = [pattern for pattern in patterns if pattern in option_groups()]
    with_keys = {doc.key.partition(".")[0] for doc in described}
    found = [
        doc
        for pattern in patterns
        if pattern not in groups or pattern in with_keys
        for doc in find_keys(pattern)
    ]
    docs = list(dict.fromkeys(found or ([] if patterns else described)))
    if as_json:
        options = [option for group in groups for option in read_options(group)]
        echo_json({"options": map(asdict, options), "keys": map(_to_dict, docs)})
        return
    if groups:
        click.echo(render_options(groups))
    if found and groups:
        click.echo()
    if docs:
        click.echo(render_text(docs))


def _refuse_what_is_ignored(context: click.Context) -> None:
    """Raise ConfigError if a pattern or an option was given that would have no effect."""
    patterns = context.params["patterns"]
    if context.params["markdown"]:
        rule = "cannot be used with --markdown"
        refuse_options(context, "json_schema", "as_json", rule=rule)
        if patterns:
            raise ConfigError("PATTERN", rule, found=" ".join(patterns))
    if context.params["json_schema"]:
        refuse_options(context, "as_json", rule="cannot be used with --json-schema")
        if len(patterns) > 1:
            raise ConfigError("PATTERN", "must be a single group", found=" ".join(patterns))


def _to_dict(doc: KeyDoc) -> dict[str, str]:
    """Return what is known about a key, without the class that declares it."""
    fields = asdict(doc)
    del fields["schema"]
    return fields
