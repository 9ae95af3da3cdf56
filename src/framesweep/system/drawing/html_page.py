"""Builds a page of HTML that needs nothing but itself: no server, no network, no other file."""

import base64
import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from framesweep.credentials import printable, scrub
from framesweep.system.atomic_files import write_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere; } h2 { margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e4e4e4; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; overflow-wrap: normal; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
img { max-width: 100%; }
.figure { min-height: 60px; margin: .5rem 0; overflow-x: auto; overflow-y: hidden; }
@media print { body { max-width: none; } }
"""

DRAW = "Plotly.newPlot({id}, {data}, {layout}, {{responsive: true, displaylogo: false}});"

MARKUP = re.compile(r"<(?!/?(?:br|extra|b|i|sup|sub)>)")
"""A `<` in a text of Plotly, unless it begins one of the tags that format its own texts."""


class Page:
    """A page that is built from the top to the bottom.

    All texts may come from anybody: they are escaped, and a content security policy lets the
    page run only its own scripts and load nothing.
    """

    def __init__(self, title: str) -> None:
        self._title = clean(title)
        self._parts: list[str] = []
        self._figures: list[tuple[str, str]] = []
        self._nonce = secrets.token_hex(16)

    def add_heading(self, text: str) -> None:
        """Add the heading of a section."""
        self._parts.append(f"<h2>{clean(text)}</h2>")

    def add_paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{clean(text)}</p>")

    def add_command(self, command: str) -> None:
        """Add a command for a shell."""
        self._parts.append(f"<pre>{clean(command)}</pre>")

    def add_details(self, summary: str, text: str) -> None:
        """Add a long text that is shown when the reader opens it."""
        self._parts.append(
            f"<details><summary>{clean(summary)}</summary><pre>{clean(text)}</pre></details>"
        )

    def add_table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; cells that are numbers are aligned to the right."""
        body = list(rows)
        kinds = [
            "number" if any(_is_number(row[i]) for row in body) else ""
            for i in range(len(header))
        ]
        head = "".join(
            _cell("th", name, kind) for name, kind in zip(header, kinds, strict=True)
        )
        lines = [
            "".join(_cell("td", cell, kind) for cell, kind in zip(row, kinds, strict=True))
            for row in body
        ]
        rows_html = "\n".join(f"<tr>{line}</tr>" for line in lines)
        self._parts.append(
            f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
            f"<tbody>{rows_html}</tbody></table></div>"
        )

    def add_facts(self, facts: Mapping[str, object]) -> None:
        """Add a table of names and values."""
        rows = [
            f"<tr><th>{clean(name)}</th><td>{clean(format_cell(value))}</td></tr>"
            for name, value in facts.items()
        ]
        self._parts.append("<table><tbody>" + "\n".join(rows) + "</tbody></table>")

    def add_figure(self, figure: Mapping[str, Any], height: int = 420) -> None:
        """Add a figure of Plotly, given as the `data` and `layout` of its JSON schema.

        Args:
            height: Its height in pixels, unless its layout has one.
        """
        name = f"figure-{len(self._figures) + 1}"
        layout = {"height": height, **_escape_markup(figure["layout"])}
        data = _escape_markup(figure["data"])
        values = {"id": name, "data": data, "layout": layout}
        texts = {key: _to_script(value) for key, value in values.items()}
        self._figures.append((name, DRAW.format(**texts)))
        self._parts.append(f'<div class="figure" id="{name}"></div>')

    def add_png(self, path: Path, text: str) -> None:
        """Add a picture, which becomes part of the page; `text` describes it."""
        data = base64.b64encode(path.read_bytes()).decode()
        self._parts.append(f'<img alt="{clean(text)}" src="data:image/png;base64,{data}">')

    def render(self) -> str:
        """Return the page."""
        policy = (
            f"default-src 'none'; script-src 'nonce-{self._nonce}'; "
            "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
        )
        head = [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{self._title}</title><style>{STYLE}</style>",
        ]
        if self._figures:
            head.append(self._script(read_plotly()))
        scripts = [self._script(code) for _, code in self._figures]
        body = [f"</head><body><h1>{self._title}</h1>", *self._parts, *scripts]
        return "\n".join([*head, *body, "</body></html>\n"])

    def write(self, path: Path) -> None:
        """Write the page atomically."""
        write_text(path, self.render())

    def _script(self, code: str) -> str:
        return f'<script nonce="{self._nonce}">{code}</script>'


def clean(text: str) -> str:
    """Return a text as HTML, without credentials and control characters."""
    return escape(printable(scrub(text)))


def format_cell(value: object) -> str:
    """Return a value as it is shown in a table; what a config can hold, as in YAML."""
    if value is None or isinstance(value, bool | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_plotly() -> str:
    """Return the code of plotly.js, which the package plotly contains."""
    import plotly  # imported here, because not every command writes a page

    # Read as a file, since the module with the function for it imports others for a second.
    return files(plotly).joinpath("package_data", "plotly.min.js").read_text("utf-8")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(tag: str, value: object, kind: str) -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<{tag}{attribute}>{clean(format_cell(value))}</{tag}>"


def _escape_markup(value: Any) -> Any:
    """Return a part of a figure whose texts contain no markup but Plotly's own."""
    if isinstance(value, str):
        return MARKUP.sub("&lt;", printable(scrub(value)))
    if isinstance(value, Mapping):
        return {_escape_markup(key): _escape_markup(item) for key, item in value.items()}
    return [_escape_markup(i) for i in value] if isinstance(value, list | tuple) else value


def _to_script(value: Any) -> str:
    """Return a value as JavaScript that cannot end the script that it is in."""
    return json.dumps(_without_nan(value)).replace("<", "\\u003c")


def _without_nan(value: Any) -> Any:
    """Return a value with null in place of NaN and infinity, which JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list | tuple) else value
