"""Schemas enter themselves, and name the code that is built from them."""

from dataclasses import dataclass

import pytest

from framesweep.config.registry import SCHEMAS, builder_of, option

BUILT = [(group, name) for group in ("data", "model", "optim") for name in SCHEMAS[group]]


@pytest.mark.parametrize(("group", "name"), BUILT)
def test_the_code_that_a_schema_names_exists(group, name):
    assert callable(builder_of(SCHEMAS[group][name]()))


def test_an_option_enters_itself_with_its_builder(monkeypatch):
    monkeypatch.setitem(SCHEMAS, "optim", dict(SCHEMAS["optim"]))

    @option("optim", "other", built_by="collections:OrderedDict")
    @dataclass
    class OtherConfig:
        pass

    assert SCHEMAS["optim"]["other"] is OtherConfig
    assert builder_of(OtherConfig()).__name__ == "OrderedDict"


def test_a_group_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="optimizer"):
        option("optimizer", "other")(dict)
