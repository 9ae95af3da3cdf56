import itertools
import json

import numpy as np
import pytest
import torch

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.store.frame_store import open_store
from framesweep.data.windows import Windows
from framesweep.errors import ConfigError, DataError
from toy import NAMES, ToyCorpus


def plain_window(corpus, split, utterance, frame, context, padding, normalize):
    """The window as one would write it down: utterance by utterance, frame by frame."""
    utterances = [u.features.astype(np.float64) for u in corpus.utterances(split)]
    train = np.concatenate([u.features.astype(np.float64) for u in corpus.utterances("train")])
    if normalize == "utterance":
        utterances = [(u - u.mean(0)) / u.std(0) for u in utterances]
    elif normalize == "global":
        utterances = [(u - train.mean(0)) / train.std(0) for u in utterances]
    if padding == "cross":
        flat = np.concatenate(utterances)
        centre = sum(len(u) for u in utterances[:utterance]) + frame
    else:
        flat, centre = utterances[utterance], frame
    window = []
    for place in range(centre - context, centre + context + 1):
        if 0 <= place < len(flat):
            window.append(flat[place])
        elif padding == "replicate":
            window.append(flat[0] if place < 0 else flat[-1])
        else:
            window.append(np.zeros(flat.shape[1]))
    return np.concatenate(window)


@pytest.mark.parametrize("context", [0, 1, 7, MAX_CONTEXT])
@pytest.mark.parametrize(
    ("padding", "normalize"),
    list(itertools.product(["zero", "replicate", "cross"], ["none", "utterance", "global"])),
)
def test_windows_equal_the_plain_ones(tmp_path, padding, normalize, context):
    corpus = ToyCorpus({"train": (12, 3, 20), "dev": (9, 2), "test": (5,)})
    config = DataConfig(context=context, padding=padding, normalize=normalize)
    store = open_store(config, corpus, tmp_path)
    for split in corpus.splits():
        windows = Windows(store.splits[split], context, torch.device("cpu"))
        lengths = corpus.lengths[split]
        served = windows.gather(torch.arange(sum(lengths)))
        plain = [
            plain_window(corpus, split, u, t, context, padding, normalize)
            for u, length in enumerate(lengths)
            for t in range(length)
        ]
        np.testing.assert_allclose(served.numpy(), plain, rtol=1e-4, atol=1e-5)


def test_labels_and_edges(tmp_path):
    corpus = ToyCorpus()
    store = open_store(DataConfig(), corpus, tmp_path)
    windows = Windows(store.splits["train"], 9, torch.device("cpu"))
    labels = np.concatenate([u.labels for u in corpus.utterances("train")])
    frames = torch.randperm(len(labels))
    np.testing.assert_array_equal(windows.labels(frames), labels[frames])
    near = [t < 9 or t >= n - 9 for n in corpus.lengths["train"] for t in range(n)]
    np.testing.assert_array_equal(windows.edges(frames), np.array(near)[frames])


def test_half_precision_stores_hold_rounded_features(tmp_path):
    full = open_store(DataConfig(), ToyCorpus(), tmp_path).splits["dev"].rows
    half = open_store(DataConfig(dtype="float16"), ToyCorpus(), tmp_path).splits["dev"].rows
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, full.astype(np.float16))


def test_values_beyond_half_precision_are_refused(tmp_path):
    class Loud(ToyCorpus):
        def utterances(self, split):
            for utterance in super().utterances(split):
                utterance.features[3, 2] = 1e9
                yield utterance

    message = r"float16's range; found 1000000000\.0\. Try .*float32 and data\.normalize=utt"
    with pytest.raises(ConfigError, match=message):
        open_store(DataConfig(dtype="float16"), Loud(), tmp_path)
    assert not list(tmp_path.glob("*/view*"))
    open_store(DataConfig(dtype="float16", normalize="utterance"), Loud(), tmp_path)
    open_store(DataConfig(), Loud(), tmp_path)


def test_prepared_once(tmp_path):
    class Counting(ToyCorpus):
        reads = 0

        def utterances(self, split):
            Counting.reads += 1
            return super().utterances(split)

    for context in (3, 10):
        for padding in ("zero", "cross"):
            open_store(DataConfig(context=context, padding=padding), Counting(), tmp_path)
    assert Counting.reads == 3  # train, dev and test, once each


def test_other_source_other_store(tmp_path):
    digests = {open_store(DataConfig(), ToyCorpus(seed=s), tmp_path).digest for s in (0, 1)}
    assert len(digests) == 2
    assert len([p for p in tmp_path.iterdir() if p.is_dir()]) == 2


def test_phones_and_ids_survive(tmp_path):
    store = open_store(DataConfig(), ToyCorpus(), tmp_path)
    assert store.phones.names == NAMES
    assert store.splits["dev"].ids == ("dev0", "dev1")


def only_store(cache):
    return next(p for p in cache.iterdir() if p.is_dir())


@pytest.mark.parametrize("name", ["train.features", "dev.labels", "meta.json"])
def test_damaged_store_is_refused(tmp_path, name):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    path = only_store(tmp_path) / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=name):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


def test_store_of_another_version_is_refused(tmp_path):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    meta = only_store(tmp_path) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "format": 0}))
    with pytest.raises(DataError, match="store format 1; found 0"):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("converted_bytes", [0, 1 << 20])
def test_windows_come_in_the_type_that_is_asked_for(
    tmp_path, monkeypatch, stored, dtype, converted_bytes
):
    monkeypatch.setattr("framesweep.data.windows.GATHER_FRAMES", 4)
    monkeypatch.setattr("framesweep.data.windows.CONVERTED_BYTES", converted_bytes)
    store = open_store(DataConfig(dtype=stored), ToyCorpus(), tmp_path)
    cpu = torch.device("cpu")
    plain = Windows(store.splits["train"], 3, cpu)
    asked = Windows(store.splits["train"], 3, cpu, dtype)
    for num_frames in (0, 3, 11, 4):
        frames = torch.randperm(plain.num_frames)[:num_frames]
        assert asked.gather(frames).dtype == dtype
        assert torch.equal(asked.gather(frames), plain.gather(frames).to(dtype))
