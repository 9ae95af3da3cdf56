"""A network that reads sequences says the same of a split as of each utterance by itself."""

import numpy as np
import pytest
import torch

from framesweep.config import DataConfig, HardwareConfig, LstmConfig
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import open_store
from framesweep.data.streamed_windows import StreamedWindows
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import ProcessGroup
from framesweep.evaluation import evaluate
from framesweep.evaluation.evaluate import compute_log_posteriors, compute_logits
from framesweep.evaluation.predictor import Predictor
from framesweep.evaluation.sequences import SequenceClassifier
from framesweep.models.build import NetworkBuilder
from framesweep.system.hardware import resolve_hardware
from toy import NAMES, ToyCorpus

CONTEXT = 4
LENGTHS = {"train": (40,), "dev": (30, 1, 20, 57, 3)}


@pytest.fixture
def hardware():
    return resolve_hardware(HardwareConfig(device="cpu", precision="fp32", threads=1))


@pytest.fixture
def store(tmp_path):
    config = DataConfig(context=CONTEXT, normalize="utterance")
    return open_store(config, ToyCorpus(LENGTHS), tmp_path)


def build(store, chunk_frames=12):
    torch.manual_seed(0)
    config = LstmConfig(width=5, layers=2, conv_channels=[4], chunk_frames=chunk_frames)
    return NetworkBuilder(config, CONTEXT).build(store.feature_dim, len(NAMES)).eval()


@pytest.mark.parametrize("chunk_frames", [12, 1000])
def test_a_split_and_a_predictor_agree(store, hardware, monkeypatch, chunk_frames):
    monkeypatch.setattr(evaluate, "BATCH_FRAMES", 17)  # batches end amid utterances
    model = build(store, chunk_frames)
    windows = Windows(store.splits["dev"], CONTEXT, hardware.device)
    served = compute_log_posteriors(model, windows, hardware, len(NAMES))
    predictor = Predictor(
        model=model,
        phones=PhoneSet(NAMES),
        normalizer=store.normalizer,
        feature_dim=store.feature_dim,
        context=CONTEXT,
        padding="zero",
    )
    utterances = ToyCorpus(LENGTHS).utterances("dev")
    alone = [predictor.log_posteriors(u.features).numpy() for u in utterances]
    np.testing.assert_allclose(np.concatenate(alone), served.numpy(), rtol=1e-4, atol=1e-5)


def test_a_frame_sees_its_chunk_and_the_context_beyond_it(store, hardware):
    model = build(store)
    rows = store.splits["dev"].rows[store.splits["dev"].lead :]
    windows = Windows(store.splits["dev"], CONTEXT, hardware.device)
    logits = SequenceClassifier(model, windows)(0, 30)
    # 30 frames are three chunks of 10; the second sees 4 more frames on each side.
    with torch.no_grad():
        expected = model(torch.from_numpy(rows[6:24].copy()).view(1, -1))[4:14]
    torch.testing.assert_close(logits[10:20], expected)


def test_streamed_rows_and_ranks_give_the_same_logits(store, hardware, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH_FRAMES", 17)
    split, model = store.splits["dev"], build(store)
    plain = Windows(split, CONTEXT, hardware.device)
    streamed = StreamedWindows(split, CONTEXT, hardware.device, torch.float32, 1)
    expected = compute_log_posteriors(model, plain, hardware, len(NAMES))
    found = torch.zeros_like(expected)
    for rank in range(3):
        group = ProcessGroup(rank, 3)
        for frames, logits in compute_logits(model, streamed, hardware, group):
            found[frames] += logits.log_softmax(dim=1)
    torch.testing.assert_close(found, expected)


def test_ranges_hold_whole_chunks_and_each_frame_once(store, hardware):
    windows = Windows(store.splits["dev"], CONTEXT, hardware.device)
    classifier = SequenceClassifier(build(store), windows)
    ranges = classifier.divide(17)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert ranges[-1][1] == windows.num_frames
    for start, stop in ranges:
        assert len(classifier(start, stop)) == stop - start
