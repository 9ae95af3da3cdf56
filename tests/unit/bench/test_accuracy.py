"""The plain modules are the network itself, computed by torch."""

import torch

from framesweep.bench.accuracy import extract_plain_modules, measure_accuracy
from framesweep.bench.corpus import write_corpus
from framesweep.config import MlpConfig
from framesweep.config.composition import register
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP


def test_plain_modules_share_weights_and_compute_the_same() -> None:
    torch.manual_seed(0)
    model = build_model(MlpConfig(widths=[16, 8], dropout=0.0), 12, 5)
    assert isinstance(model, MLP)
    plain = extract_plain_modules(model)
    assert {id(p) for p in plain.parameters()} == {id(p) for p in model.parameters()}
    x = torch.randn(64, 12)
    torch.testing.assert_close(plain(x), model(x))
    torch.testing.assert_close(plain.eval()(x), model.eval()(x))


def test_each_seed_is_trained(tmp_path) -> None:
    register()
    root = write_corpus(tmp_path, 2500, feature_dim=8)
    overrides = [
        "data=hw1p2",
        f"data.root={root}",
        "data.normalize=none",
        "data.context=1",
        f"outputs={tmp_path}",
    ]
    overrides += ["model=small", "train.epochs=1", "train.batch_size=256", "hardware.threads=1"]
    results = [
        measure_accuracy("fp32", modules, [0, 1], overrides) for modules in ("plain", "fused")
    ]
    for result in results:
        assert result["epochs"] == 1
        first, second = result["dev/accuracy"]
        assert 0 < first < 1
        assert first != second
