"""Renders results as a table of plain text."""

from collections.abc import Sequence

from framesweep.bench.gpu.budget import Result

BOUND = "multiplications alone"
"""The case whose time is the upper bound of its section."""
_HIDDEN = ("section", "case", "ok", "note", "seconds", "traceback")


def add_shares(results: Sequence[Result]) -> None:
    """Add the share of the multiplications alone, and the MFU, to the steps of each section."""
    bounds = {r["section"]: r for r in results if r["case"] == BOUND and "ms" in r}
    for result in results:
        bound = bounds.get(result["section"])
        if bound is None or "ms" not in result or result["case"] == BOUND:
            continue
        result["share"] = bound["ms"] / result["ms"]
        if "MFU" in bound:
            result["MFU"] = bound["MFU"] * result["share"]


def render_table(results: Sequence[Result]) -> str:
    """Return one line per result, in sections."""
    lines: list[str] = []
    section = None
    width = max((len(result["case"]) for result in results), default=0)
    for result in results:
        if result["section"] != section:
            section = result["section"]
            lines += ["", section]
        lines.append(f"  {result['case']:<{width}}  {describe(result)}")
    return "\n".join(lines).strip("\n")


def describe(result: Result) -> str:
    """Return the verdict, the measured values and the note of a result on one line."""
    verdict = {True: "ok", False: "FAILED", None: ""}[result["ok"]]
    values = [
        f"{name} {_format(value)}"
        for name, value in result.items()
        if name not in _HIDDEN and value is not None
    ]
    parts = [verdict, ", ".join(values), result.get("note", "")]
    return "  ".join(part for part in parts if part)


def _format(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
