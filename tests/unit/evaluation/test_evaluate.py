"""Networks that compute what windows share are evaluated on stretches, as on windows."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from framesweep.config import DataConfig, HardwareConfig, MlpConfig, TdnnConfig
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import open_store
from framesweep.data.windows import Windows
from framesweep.evaluation import evaluate
from framesweep.evaluation.evaluate import compute_log_posteriors
from framesweep.evaluation.predictor import Predictor
from framesweep.models.build import build_model
from framesweep.system.hardware import resolve_hardware
from toy import NAMES, ToyCorpus

CONTEXT = 4


CONFIGS = {
    "tdnn": TdnnConfig(channels=8, dilations=[1, 2]),
    "mlp": MlpConfig(widths=[8, 8], conv_channels=[6, 5], conv_kernel=2, conv_stride=1),
}


@pytest.mark.parametrize("padding", ["zero", "replicate"])
@pytest.mark.parametrize("kind", list(CONFIGS))
def test_stretches_windows_and_a_predictor_agree(tmp_path, monkeypatch, kind, padding):
    monkeypatch.setattr(evaluate, "BATCH_FRAMES", 17)  # batches end amid utterances
    corpus = ToyCorpus()
    data = DataConfig(context=CONTEXT, normalize="utterance", padding=padding)
    store = open_store(data, corpus, tmp_path)
    hardware = resolve_hardware(HardwareConfig(device="cpu", precision="fp32", threads=1))
    windows = Windows(store.splits["dev"], CONTEXT, hardware.device)
    torch.manual_seed(0)
    model = build_model(CONFIGS[kind], windows.window_dim, len(NAMES), 2 * CONTEXT + 1).eval()
    served = compute_log_posteriors(model, windows, hardware, len(NAMES))
    with torch.no_grad():
        logits = model(windows.gather(torch.arange(windows.num_frames)))
    torch.testing.assert_close(served, logits.log_softmax(dim=1))
    predictor = Predictor(
        model=model,
        phones=PhoneSet(NAMES),
        normalizer=store.normalizer,
        feature_dim=store.feature_dim,
        context=CONTEXT,
        padding=padding,
    )
    alone = [predictor.log_posteriors(u.features).numpy() for u in corpus.utterances("dev")]
    np.testing.assert_allclose(np.concatenate(alone), served.numpy(), rtol=1e-4, atol=1e-5)


def test_an_accelerator_gets_large_batches_unless_its_windows_are_wide():
    def windows(device, dim, dtype=torch.bfloat16):
        return SimpleNamespace(device=torch.device(device), window_dim=dim, dtype=dtype)

    assert evaluate.batch_frames(windows("cpu", 2040)) == 4096
    assert evaluate.batch_frames(windows("cuda", 2040)) == 65536
    assert evaluate.batch_frames(windows("cuda", 8192, torch.float32)) == 16384
    assert evaluate.batch_frames(windows("mps", 10**6)) == 4096
