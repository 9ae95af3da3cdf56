"""Explanations of sweeps that Hydra rejects, and texts that need quotes."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.framesweep_sweeper.search._syntax import explain_sweep, write_text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("choice(null,1)", "Type null,1"),
        ("choice(1, null)", "Type 1, null"),
        ("interval(0.001,0.1).tag(log)", "Type tag(log, interval(0.001,0.1))"),
        ("tag(zip,2,1)", "Type tag(zip, choice(2,1))"),
        ("tag(zip,null,1)", "which cannot contain null"),
        ("tag(zip, choice(1, null))", "which cannot contain null"),
        ("intervall(0,1)", "Did you mean interval(...)?"),
        ("chioce(a,b)", "Did you mean choice(...)?"),
    ],
)
def test_a_sweep_that_hydra_rejects_is_explained_with_what_to_type(value, says):
    assert says in str(explain_sweep(value))


@pytest.mark.parametrize(
    "value", ["choice(1,", "a b", "tag(zip,choice(1)", "choice('null or none',2)", "[1,2"]
)
def test_other_mistakes_are_left_to_the_parser(value):
    assert explain_sweep(value) is None


TEXTS = [
    *("a, b", "c=d (1)", "it's", 'say "yes"', "", " led by a space", "a\\b", "[1", "{", "#"),
    *("a:b", "50%", "tab\there", "ɑː", "x,y\\", "'quoted'", "~/data", "a+b"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_written_so_that_hydra_reads_the_same_text(text):
    override = OverridesParser.create().parse_override(f"key={write_text(text)}")
    value = override.value()
    assert getattr(value, "text", value) == text


@pytest.mark.parametrize("text", ["1", "null", "true", "adam", "${seed}", "1e-3"])
def test_what_reads_as_a_number_or_null_stays_one_as_in_a_plain_grid(text):
    assert write_text(text) == text
