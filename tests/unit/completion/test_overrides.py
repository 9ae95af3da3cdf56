"""Groups, options, keys and values are completed, and only those that exist."""

from typing import Any

import pytest

from configs import compose
from framesweep.completion import overrides
from framesweep.completion.candidates import Candidate
from framesweep.completion.overrides import complete_overrides, list_values, walk_keys
from framesweep.config.composition import register
from framesweep.config.groups import option_groups
from framesweep.config.plain import flatten
from framesweep.evaluation.metrics import METRICS
from framesweep.kernels.activations import ACTIVATIONS

register()


def texts(current, *words):
    answer = complete_overrides(words, current)
    return answer if isinstance(answer, str) else [one.text for one in answer]


def test_a_group_is_completed_with_its_options_and_keys():
    assert texts("mode") == ["model=", "model."]
    assert texts("model=w") == ["model=wide"]
    assert set(texts("recipe=")) == {f"recipe={name}" for name in option_groups()["recipe"]}


def test_a_key_is_completed_up_to_its_value():
    assert texts("data.cont") == ["data.context="]
    found: Any = complete_overrides([], "data.context")
    assert [answer.is_final for answer in found] == [False]


def test_closed_choices_and_flags_are_completed():
    assert texts("data.padding=") == [
        f"data.padding={v}" for v in ("zero", "replicate", "cross")
    ]
    assert texts("tracking.log_model=") == [
        f"tracking.log_model={v}" for v in ("true", "false", "null")
    ]


def test_names_of_registries_are_completed():
    assert texts("model.activation=") == [f"model.activation={name}" for name in ACTIVATIONS]
    assert {text.partition("=")[2] for text in texts("objective=")} == set(METRICS)
    assert texts("objective=dev/l") == ["objective=dev/loss"]
    assert texts("model.objective=") == []


def test_the_options_on_the_line_decide_which_keys_there_are():
    assert "optim.momentum=" in texts("optim.", "optim=sgd")
    assert "optim.momentum=" not in texts("optim.", "optim=adam")
    assert "optim.momentum=" in texts("optim.")


def test_values_of_a_sweep_are_separated_by_commas():
    assert texts("model=base,w", "-m") == ["model=base,wide"]


def test_marks_of_hydra_are_kept():
    assert texts("+model=w") == ["+model=wide"]
    assert texts("++data.padd") == ["++data.padding="]


@pytest.mark.parametrize(
    ("words", "current"), [([], "data.root=/x"), ([], "outputs="), ([], "hydra.run.dir=")]
)
def test_paths_are_left_to_the_shell(words, current):
    assert texts(current, *words) == "files"


def test_flags_are_completed():
    assert texts("--mu") == ["--multirun"]
    assert texts("x", "--config-dir") == "dirs"


def test_the_run_to_resume_is_completed_from_the_folder_on_the_line(monkeypatch):
    def list_runs(outputs, uri):
        return [Candidate(f"{outputs}-{uri}")]

    monkeypatch.setattr(overrides, "list_run_candidates", list_runs)
    assert texts("resume=", "outputs=o", "tracking.uri=u") == ["resume=o-u"]


def test_every_key_of_a_config_can_be_completed():
    for words in ([], ["data=segments", "data.root=/x", "model=tdnn", "optim=muon"]):
        values = dict(word.split("=") for word in words)
        keys = {key for key, _ in walk_keys(values)}
        assert flatten(compose(words)).keys() <= keys


def test_every_value_that_is_offered_is_accepted():
    for key, kind in walk_keys({"data": "demo", "model": "base", "optim": "adam"}):
        for value in list_values(kind):
            compose([f"{key}={value}"])
