"""framesweep keys: what the config keys mean."""

import click


@click.command()
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print docs/config.md.")
def command(patterns: tuple[str, ...], markdown: bool) -> None:
    """Explain config keys: their type, unit, default and meaning.

    A PATTERN is a key (data.context), a group (data), the last part of a key (context), or a
    shell pattern ('data.*_share'). Without one, all keys are explained.
    """
    from framesweep.config.key_docs import document_keys, find_keys
    from framesweep.config.key_pages import render_markdown, render_text

    if markdown:
        click.echo(render_markdown(), nl=False)
        return
    found = [doc for pattern in patterns for doc in find_keys(pattern)]
    click.echo(render_text(dict.fromkeys(found or document_keys())))
