"""Shares are those of the same section, and every result has its line."""

from framesweep.bench.gpu.table import BOUND, add_shares, render_table


def result(section, case, ok=None, **values):
    return {"section": section, "case": case, "ok": ok, "seconds": 1.0, **values}


def test_shares_compare_with_the_bound_of_the_same_section():
    results = [
        result("base", BOUND, ms=1.0, MFU=0.6),
        result("base", "graph", ms=2.0),
        result("wide", "graph", ms=2.0),
        result("base", "eager", note="skipped"),
    ]
    add_shares(results)
    assert (results[1]["share"], results[1]["MFU"]) == (0.5, 0.3)
    assert "share" not in results[0] | results[2] | results[3]


def test_a_table_has_sections_verdicts_values_and_notes():
    text = render_table(
        [
            result("CPU", "base", True, difference=1.5e-7),
            result("CPU", "conv", False, note="ValueError: no"),
            result("base", "eager", ms=12345.6, kernels=None),
        ]
    )
    assert text.splitlines() == [
        "CPU",
        "  base   ok  difference 1.5e-07",
        "  conv   FAILED  ValueError: no",
        "",
        "base",
        "  eager  ms 12,346",
    ]
