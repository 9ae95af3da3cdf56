"""Fields that declare what a change of them affects."""

from dataclasses import dataclass, fields

from framesweep.config.setting import AFFECTS, setting


@dataclass(kw_only=True, slots=True)
class Example:
    plain: int = 1
    listed: list[str] = setting(["a"], affects="end")
    mapped: dict[str, str] = setting({}, affects="nothing")


def test_a_setting_has_its_default_and_declares_its_effect():
    assert Example().listed == ["a"]
    declared = {f.name: f.metadata.get(AFFECTS) for f in fields(Example)}
    assert declared == {"plain": None, "listed": "end", "mapped": "nothing"}


def test_no_two_configs_share_a_list_or_a_dict():
    one, other = Example(), Example()
    one.listed.append("b")
    one.mapped["key"] = "value"
    assert (other.listed, other.mapped) == (["a"], {})
