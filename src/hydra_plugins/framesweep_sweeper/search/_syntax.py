"""What is wrong with a sweep that Hydra's parser rejects, and how it wants texts written.

This module imports no Optuna, so that an application can explain a command line with it.
"""

import difflib
import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString, Transformer
from hydra.errors import HydraException

SWEEPS = ("choice", "range", "interval", "tag", "sort", "shuffle", "glob")
"""Hydra's functions that make a sweep, or change one."""
FUNCTIONS = (*SWEEPS, "int", "float", "str", "bool", "json_str", "extend_list")
"""All functions of Hydra's override grammar."""


def explain_sweep(value: str) -> tuple[str, str] | None:
    """Return which rule the value of an override breaks and what to type, or None.

    Args:
        value: what follows the first `=`, which Hydra's parser does not accept.
    """
    if explained := _explain_tag(value):
        return explained
    called = re.match(r"\s*([A-Za-z_]\w*)\s*\(", value)
    if called is None:
        return None
    name = called.group(1)
    if name not in FUNCTIONS:
        near = difflib.get_close_matches(name, SWEEPS, n=1) or ["choice"]
        return f"must use one of {' '.join(SWEEPS)}", f"Did you mean {near[0]}(...)?"
    listed = re.fullmatch(r"\s*choice\((.*)\)\s*", value)
    if listed and re.search(r"(^|,)\s*null\s*(,|$)", listed.group(1)):
        return "choice(...) must not contain null", f"Type {listed.group(1).strip()} without it"
    return None


def _explain_tag(value: str) -> tuple[str, str] | None:
    rule = "tag(...) must enclose a sweep"
    if tagged := re.fullmatch(r"(.+\))\s*\.\s*tag\((.*)\)", value):
        return rule, f"Type tag({tagged.group(2)}, {tagged.group(1)})"
    if re.match(r"\s*tag\(", value) and re.search(r"[(,]\s*null\s*[,)]", value):
        rule = "tag(...) must enclose choice(...) or range(...), which cannot contain null"
        return rule, "Pair other values"
    if listed := re.fullmatch(r"\s*tag\(\s*([a-z]\w*)\s*,([^()]+)\)\s*", value):
        return rule, f"Type tag({listed.group(1)}, choice({listed.group(2).strip()}))"
    return None


def write_text(text: str) -> str:
    """Return a text as a value of an override that Hydra parses to that text.

    As in a plain grid, a number, a boolean and null stay what they look like, even if they were
    quoted in a choice; and an interpolation stays one.
    """
    if "${" in text:
        return text
    for candidate in (text, Transformer.str(text)):
        try:
            value = OverridesParser.create().parse_override(f"key={candidate}").value()
        except HydraException:
            continue
        if value is None or isinstance(value, bool | int | float) or value == text:
            return candidate
    return QuotedString(text, Quote.single).with_quotes()
