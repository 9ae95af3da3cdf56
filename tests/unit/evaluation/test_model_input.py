"""Every form in which an utterance may reach a logged model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from framesweep.errors import DataError
from framesweep.evaluation.model_input import parse_model_input

FEATURES = np.arange(6.0).reshape(3, 2)
SAMPLES = np.array([0.0, 0.5, -0.5])


def only(model_input, sample_rate=None):
    (utterance,) = parse_model_input(model_input, sample_rate)
    return utterance


@pytest.mark.parametrize(
    "model_input",
    [
        FEATURES,
        FEATURES.tolist(),
        pd.DataFrame(FEATURES),
        FEATURES[np.newaxis],
        {"features": FEATURES},
        {"features": FEATURES.tolist()},
        {"features": FEATURES[np.newaxis]},
        [{"features": FEATURES.tolist()}],
        pd.DataFrame({"features": [FEATURES.tolist()]}),
        [FEATURES],
    ],
)
def test_features_in_every_form(model_input):
    utterance = only(model_input)
    assert isinstance(utterance.value, np.ndarray)
    assert utterance.value.tolist() == FEATURES.tolist()
    assert utterance.sample_rate is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_features_keep_the_width_of_their_floats(dtype):
    assert only(FEATURES.astype(dtype)).value.dtype == dtype


def test_whole_numbers_become_features_of_floats():
    assert only([[1, 2], [3, 4]]).value.dtype == np.float32


@pytest.mark.parametrize(
    "model_input",
    [
        {"samples": SAMPLES, "sample_rate": 8000},
        {"samples": SAMPLES.tolist(), "sample_rate": np.array(8000)},
        {"samples": SAMPLES[np.newaxis], "sample_rate": np.array([8000])},
        [{"samples": SAMPLES.tolist(), "sample_rate": 8000}],
        pd.DataFrame({"samples": [SAMPLES.tolist()], "sample_rate": [8000]}),
        pd.DataFrame([[SAMPLES.tolist(), 8000]], columns=["samples", "sample_rate"]),
    ],
)
def test_samples_with_their_rate_in_every_form(model_input):
    utterance = only(model_input, sample_rate=1)
    assert isinstance(utterance.value, np.ndarray)
    assert utterance.value.tolist() == SAMPLES.tolist()
    assert utterance.sample_rate == 8000


def test_samples_by_themselves_take_the_rate_of_the_params():
    assert only(SAMPLES, 8000).sample_rate == 8000
    assert only({"samples": SAMPLES.tolist()}, 8000).sample_rate == 8000
    with pytest.raises(DataError, match="must come with their sample_rate in Hz"):
        only(SAMPLES)


def test_integers_of_json_are_samples_of_16_bits():
    utterance = only({"samples": [0, 16_384], "sample_rate": 8000})
    assert isinstance(utterance.value, np.ndarray)
    assert utterance.value.dtype == np.int16
    with pytest.raises(DataError, match="integers of 16 bits; found 40000"):
        only({"samples": [0, 40_000], "sample_rate": 8000})
    with pytest.raises(DataError, match=f"integers of 16 bits; found {-(2**63)}"):
        only({"samples": [0, -(2**63)], "sample_rate": 8000})


@pytest.mark.parametrize(
    "model_input",
    [
        "a.wav",
        Path("a.wav"),
        ["a.wav"],
        [Path("a.wav")],
        np.array("a.wav"),
        np.array(["a.wav"]),
        {"path": "a.wav"},
        {"path": np.array(["a.wav"])},
        [{"path": "a.wav"}],
        pd.DataFrame({"path": ["a.wav"]}),
        pd.DataFrame(["a.wav"]),
        pd.Series(["a.wav"]),
    ],
)
def test_a_path_in_every_form(model_input):
    utterance = only(model_input)
    assert (utterance.value, utterance.sample_rate) == ("a.wav", None)


def test_several_utterances_in_order():
    paths = parse_model_input(pd.DataFrame({"path": ["a.wav", "b.wav"]}), None)
    assert [utterance.value for utterance in paths] == ["a.wav", "b.wav"]
    ragged = parse_model_input([FEATURES.tolist(), FEATURES[:2].tolist()], None)
    assert [len(utterance.value) for utterance in ragged] == [3, 2]
    rows = [{"samples": [0.1], "sample_rate": 8}, {"samples": [0.1, 0.2], "sample_rate": 9}]
    samples = parse_model_input(rows, None)
    assert [(len(u.value), u.sample_rate) for u in samples] == [(1, 8), (2, 9)]


@pytest.mark.parametrize(
    ("model_input", "line"),
    [
        ([], "must contain an utterance|must come with"),
        (None, "must be numbers or paths; found 'NoneType'"),
        (np.array([[True]]), "must be numbers; found 'bool'"),
        (3.0, "must be .T, D. features, .N,. samples, or paths; found '0 dimensions'"),
        (np.zeros((1, 1, 1, 1)), "found '4 dimensions'"),
        ({"paths": "a.wav"}, r"must have the column path, .* found paths"),
        ({"path": "a.wav", "samples": [0.1]}, "must have the column path"),
        ({"path": 3}, "path: must be text; found 3"),
        ({"features": [1.0]}, "features: must have 2 dimensions"),
        ({"features": [["a"]]}, "features: must be numbers"),
        ({"samples": [0.1], "sample_rate": 0}, "must be a whole number of Hz; found 0"),
        ({"samples": [0.1], "sample_rate": 8000.5}, "must be a whole number of Hz"),
        ({"samples": [0.1], "sample_rate": "8k"}, "must be a whole number of Hz; found '8k'"),
        ({"samples": [0.1], "sample_rate": [1, 2]}, "one for each of 1 utterances; found 2"),
        ([{"path": "a.wav"}, {"samples": [0.1]}], "must have the same columns"),
        ([{"path": "a.wav"}, 3], "must have the same columns"),
        (["a.wav", {"path": "a.wav"}], "must have the same columns"),
    ],
)
def test_any_other_input_is_an_error_of_one_line(model_input, line):
    with pytest.raises(DataError, match=line) as caught:
        parse_model_input(model_input, None)
    assert "\n" not in str(caught.value)
