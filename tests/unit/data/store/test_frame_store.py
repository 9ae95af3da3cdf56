"""Stores are prepared once, laid out as documented, and refused if damaged."""

import json

import numpy as np
import pytest

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.store.frame_store import GAPS, open_store, pad
from framesweep.errors import ConfigError, DataError
from toy import NAMES, ToyCorpus


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("zero", [[0, 0], [1, 2], [3, 4], [0, 0], [0, 0]]),
        ("cross", [[0, 0], [1, 2], [3, 4], [0, 0], [0, 0]]),
        ("replicate", [[1, 2], [1, 2], [3, 4], [3, 4], [3, 4]]),
    ],
)
def test_padding_is_zero_or_the_edge_frames(padding, expected):
    assert pad(np.array([[1.0, 2.0], [3.0, 4.0]]), 1, 2, padding).tolist() == expected


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
def test_every_frame_is_in_its_documented_row(tmp_path, padding):
    corpus = ToyCorpus({"train": (12, 3, 20), "dev": (9, 2)})
    config = DataConfig(padding=padding, normalize="none")
    split = open_store(config, corpus, tmp_path).splits["train"]
    assert (split.lead, split.gap) == (MAX_CONTEXT, GAPS[padding])
    assert split.num_frames == 35
    utterances = np.repeat([0, 1, 2], split.lengths)
    rows = split.rows[split.lead + np.arange(35) + split.gap * utterances]
    features = np.concatenate([u.features for u in corpus.utterances("train")])
    np.testing.assert_array_equal(rows, features)
    if padding != "replicate":
        others = np.setdiff1d(
            np.arange(len(split.rows)), split.lead + np.arange(35) + split.gap * utterances
        )
        assert not split.rows[others].any()


def test_half_precision_rows_are_rounded_features(tmp_path):
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

    message = (
        r"the range of float16; found 1000000000\.0\. Try .*float32 and data\.normalize=utt"
    )
    with pytest.raises(ConfigError, match=message):
        open_store(DataConfig(dtype="float16"), Loud(), tmp_path)
    assert not list(tmp_path.glob("*/view*"))
    open_store(DataConfig(dtype="float16", normalize="utterance"), Loud(), tmp_path)
    open_store(DataConfig(), Loud(), tmp_path)


def test_contexts_and_paddings_share_one_prepared_corpus(tmp_path):
    class Counting(ToyCorpus):
        reads = 0

        def utterances(self, split):
            Counting.reads += 1
            return super().utterances(split)

    for context in (3, 10):
        for padding in ("zero", "cross"):
            open_store(DataConfig(context=context, padding=padding), Counting(), tmp_path)
    assert Counting.reads == 3  # train, dev and test, once each


def test_other_source_gets_another_store(tmp_path):
    digests = {open_store(DataConfig(), ToyCorpus(seed=s), tmp_path).digest for s in (0, 1)}
    assert len(digests) == 2
    assert len([p for p in tmp_path.iterdir() if p.is_dir()]) == 2


def test_phones_and_ids_are_kept(tmp_path):
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
