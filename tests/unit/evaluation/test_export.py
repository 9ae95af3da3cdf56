"""Exported networks: equal to the predictor for any number of frames, and self-describing."""

import json

import pytest
import torch
from torch import nn

from exported import FEATURE_DIM, NETWORKS, NORMALIZATIONS, build_predictor, draw_utterance
from framesweep.errors import ConfigError
from framesweep.evaluation import export as export_module
from framesweep.evaluation.export import METADATA_FILE, describe, export

LENGTHS = (1, 2, 50, 333)


def run_torchscript(path, features):
    return torch.jit.load(str(path))(torch.from_numpy(features))


def run_onnx(path, features):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path))
    return torch.from_numpy(session.run(["log_posteriors"], {"features": features})[0])


def require_equal(run, path, predictor):
    for num_frames in LENGTHS:
        features = draw_utterance(num_frames)
        found, expected = run(path, features), predictor.log_posteriors(features)
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-4


@pytest.mark.parametrize("network", NETWORKS)
def test_torchscript_of_every_network_equals_the_predictor(network, tmp_path):
    predictor = build_predictor(network)
    export(predictor, tmp_path / "model.pt", "torchscript")
    require_equal(run_torchscript, tmp_path / "model.pt", predictor)


def test_torchscript_has_the_steps_of_a_light_gru_as_a_loop(tmp_path):
    export(build_predictor("ligru"), tmp_path / "model.pt", "torchscript")
    graph = torch.jit.load(str(tmp_path / "model.pt")).inlined_graph
    assert str(graph).count("prim::Loop") == 2  # one layer in two directions


def test_torchscript_normalizes_as_the_predictor(tmp_path):
    for normalize in NORMALIZATIONS:
        predictor = build_predictor("mlp", f"data.normalize={normalize}")
        export(predictor, tmp_path / "model.pt", "torchscript")
        require_equal(run_torchscript, tmp_path / "model.pt", predictor)


# A Conformer's export takes as long as all others together, and is compared by itself.
@pytest.mark.heavy
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "conformer"])
def test_onnx_of_every_network_equals_the_predictor(network, tmp_path):
    predictor = build_predictor(network)
    export(predictor, tmp_path / "model.onnx", "onnx")
    require_equal(run_onnx, tmp_path / "model.onnx", predictor)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("network", "operator", "count"),
    [("lstm", "LSTM", 4), ("gru", "GRU", 4), ("ligru", "GRU", 2)],
)
def test_a_recurrent_layer_is_an_operator_of_onnx_however_long_a_chunk(
    network, operator, count, tmp_path
):
    onnx = pytest.importorskip("onnx")
    predictor = build_predictor(network, "model.chunk_frames=10000")
    export(predictor, tmp_path / "model.onnx", "onnx")
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    assert [node.op_type for node in nodes].count(operator) == count
    assert len(nodes) < 200


@pytest.mark.heavy
@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_onnx_normalizes_as_the_predictor(normalize, tmp_path):
    predictor = build_predictor("mlp", f"data.normalize={normalize}")
    export(predictor, tmp_path / "model.onnx", "onnx")
    require_equal(run_onnx, tmp_path / "model.onnx", predictor)


@pytest.mark.heavy
def test_an_onnx_file_describes_itself(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    predictor = build_predictor("mlp")
    export(predictor, tmp_path / "model.onnx", "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert session.get_modelmeta().custom_metadata_map == describe(predictor)
    (features,), (posteriors,) = session.get_inputs(), session.get_outputs()
    assert (features.name, features.shape[1]) == ("features", FEATURE_DIM)
    assert isinstance(features.shape[0], str)  # the name of a dimension of any size
    assert (posteriors.name, posteriors.shape[1]) == ("log_posteriors", 5)


def test_a_torchscript_file_describes_itself(tmp_path):
    predictor = build_predictor("mlp")
    export(predictor, tmp_path / "model.pt", "torchscript")
    files = {METADATA_FILE: ""}
    torch.jit.load(str(tmp_path / "model.pt"), _extra_files=files)
    metadata = {k: json.loads(v) for k, v in json.loads(files[METADATA_FILE]).items()}
    assert metadata["phones"] == ["sil", "ə", "B", "D", "ʃ"]
    assert (metadata["feature_dim"], metadata["context"]) == (FEATURE_DIM, 3)
    assert metadata["frame_shift_ms"] == 10.0


def test_without_the_packages_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'framesweep\[export\]'") as caught:
        export(build_predictor("mlp"), tmp_path / "model.onnx", "onnx")
    assert "\n" not in str(caught.value)


class Depends(nn.Module):
    """A network of a user that does another thing for utterances of other lengths."""

    def forward(self, x):
        return x[:, :5] + len(x)


class Fails(nn.Module):
    """A network of a user that no exporter can trace."""

    def forward(self, x):
        raise NotImplementedError("an operation\nwithout a symbol")


@pytest.mark.parametrize("network", [Depends, Fails])
def test_a_network_that_cannot_be_exported_leaves_no_file(network, tmp_path):
    predictor = build_predictor("mlp")
    object.__setattr__(
        predictor, "model", nn.Sequential(network(), nn.Linear(5, 5, bias=False))
    )
    with pytest.raises(ConfigError, match="must be able to express the network") as caught:
        export(predictor, tmp_path / "model.pt", "torchscript")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_reason_is_the_line_of_the_cause_without_colors(tmp_path, monkeypatch):
    def fail(*arguments):
        try:
            raise ValueError("\x1b[31mdimension 5\x1b[0m must match\nin a graph")
        except ValueError as error:
            raise RuntimeError("\x1b[96mThis is step 2/3\x1b[0m") from error

    monkeypatch.setattr(export_module, "_write_torchscript", fail)
    with pytest.raises(ConfigError, match=r"\(dimension 5 must match\)"):
        export(build_predictor("mlp"), tmp_path / "model.pt", "torchscript")
