"""framesweep keys: what the config keys mean."""

import click


@click.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print docs/config.md.")
def command(patterns: tuple[str, ...], markdown: bool) -> None:
    """Explain config keys: their type, unit, default and meaning.

    A PATTERN is a key (data.context), a group (data), the last part of a key (context), or a
    shell pattern ('data.*_share'). Without one, all keys are explained. Of a group, its options
    are explained, too; recipe and ablation have nothing else.
    """
    from framesweep.config.groups import option_groups
    from framesweep.config.key_docs import document_keys, find_keys
    from framesweep.config.key_pages import render_markdown, render_options, render_text

    if markdown:
        click.echo(render_markdown(), nl=False)
        return
    described = document_keys()
    groups = [pattern for pattern in patterns if pattern in option_groups()]
    with_keys = {doc.key.partition(".")[0] for doc in described}
    if groups:
        click.echo(render_options(groups))
    found = [
        doc
        for pattern in patterns
        if pattern not in groups or pattern in with_keys
        for doc in find_keys(pattern)
    ]
    if found and groups:
        click.echo()
    if found or not patterns:
        click.echo(render_text(dict.fromkeys(found or described)))
