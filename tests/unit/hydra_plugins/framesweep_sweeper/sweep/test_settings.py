import math
import os.path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._settings import (
    build_search_end,
    check_settings,
    load_custom_search_space,
    read_directions,
    to_plain_dict,
)


def test_the_defaults_are_valid(make_settings):
    check_settings(make_settings())
    check_settings(make_settings(n_jobs="auto"))


def test_the_end_of_a_search_follows_from_the_settings(make_settings):
    end = build_search_end(make_settings(max_hours=1.0, stop_when=0.5, direction="maximize"))
    assert end.reads_trials
    assert end.seconds_left(600.0) == 3000.0
    assert not build_search_end(make_settings()).reads_trials


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_trials": 0}, "n_trials: must be 1 or more; found 0"),
        ({"n_jobs": 0}, "n_jobs: must be 1 or more, or auto; found 0"),
        ({"n_jobs": "all"}, "n_jobs: must be 1 or more, or auto; found all"),
        ({"n_jobs": True}, "n_jobs: must be 1 or more, or auto; found True"),
        ({"n_jobs": 1.5}, "n_jobs: must be 1 or more, or auto; found 1.5"),
        ({"devices_per_job": 0}, "devices_per_job: must be 1 or more; found 0"),
        ({"jobs_per_device": 0}, "jobs_per_device: must be 1 or more; found 0"),
        ({"retries": -1}, "retries: must be 0 or more; found -1"),
        ({"heartbeat": 0}, "heartbeat: must be 1 or more; found 0"),
        ({"stop_seconds": -1.0}, "stop_seconds: must be 0 or more; found -1.0"),
        ({"max_failure_rate": 1.5}, "max_failure_rate: must be between 0 and 1; found 1.5"),
        ({"max_hours": 0.0}, "max_hours: must be above 0 and finite, or null; found 0.0"),
        (
            {"trial_minutes": -1.0},
            "trial_minutes: must be above 0 and finite, or null; found -1.0",
        ),
        ({"max_hours": math.inf}, "max_hours: must be above 0 and finite, or null; found inf"),
        (
            {"stop_when": "best"},
            "stop_when: must be stagnated, or the value of the objective at which to stop; "
            "found best",
        ),
        (
            {"study_name": "a/b"},
            "study_name: must consist of letters, digits and . _ - only, because it names a "
            "directory; found 'a/b'",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key_the_rule_and_the_value(
    make_settings, change, says
):
    with pytest.raises(SweepError) as error:
        check_settings(make_settings(**change))
    assert str(error.value) == f"hydra.sweeper.{says}"


def test_directions_are_one_name_or_a_list():
    assert read_directions("maximize") == ["maximize"]
    both = ["maximize", "minimize"]
    assert read_directions(OmegaConf.create(both)) == both


@pytest.mark.parametrize("direction", ["up", [], ["maximize", "up"]])
def test_other_directions_are_refused(direction):
    with pytest.raises(SweepError, match=r"must be minimize or maximize, or a list") as error:
        read_directions(direction)
    assert str(error.value).endswith(f"; found {direction}")


def test_a_plain_dict_has_its_interpolations_resolved():
    config = OmegaConf.create({"a": 1, "b": "${a}"})
    assert to_plain_dict(config) == {"a": 1, "b": 1}
    assert to_plain_dict(None) == {}


def test_a_custom_search_space_is_loaded_by_its_path(make_settings):
    assert load_custom_search_space(make_settings()) is None
    function: Any = load_custom_search_space(make_settings(custom_search_space="os.path.join"))
    assert function("a", "b") == os.path.join("a", "b")  # noqa: PTH118 - the function given


def test_a_missing_custom_search_space_is_refused(make_settings):
    with pytest.raises(SweepError, match=r"custom_search_space: must be .*; found no\.such$"):
        load_custom_search_space(make_settings(custom_search_space="no.such"))


def test_an_error_of_a_custom_search_space_is_named_with_its_place(
    make_settings, monkeypatch, tmp_path
):
    path = tmp_path / "wrong_space.py"
    path.write_text("def suggest(config, trial):\n    return config['a']\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = make_settings(custom_search_space="wrong_space.suggest")
    function: Any = load_custom_search_space(settings)
    assert function({"a": 1}, None) == 1
    with pytest.raises(SweepError) as error:
        function({}, None)
    assert str(error.value) == (
        "hydra.sweeper.custom_search_space: must be a function that raises no error "
        f"(KeyError: 'a', in {path}, line 2); found wrong_space.suggest"
    )
