"""Preparation is exact, atomic, and refuses damaged utterances by name."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from framesweep.data.corpus import Utterance
from framesweep.data.store.prepared import prepare
from framesweep.errors import DataError
from toy import ToyCorpus


class Damaged(ToyCorpus):
    """The toy corpus with train's second utterance changed by `damage`."""

    def __init__(self, damage):
        super().__init__()
        self.damage = damage

    def utterances(self, split):
        for index, utterance in enumerate(super().utterances(split)):
            damage = (split, index) == ("train", 1)
            yield self.damage(utterance) if damage else utterance


def with_features(change):
    return lambda u: Utterance(u.id, change(u.features), u.labels)


def with_labels(change):
    return lambda u: Utterance(u.id, u.features, change(u.labels))


def set_nan(features):
    features[3, 2] = np.nan
    return features


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (with_features(set_nan), "must be finite; found 'nan at frame 3, bin 2'"),
        (with_features(lambda f: f * np.inf), "must be finite"),
        (with_features(lambda f: f[:, 0]), r"shape \(T, D\)"),
        (with_features(lambda f: f[:, :-1]), "must have 6 features per frame.*found 5"),
        (with_features(lambda f: f[:0]), "at least one frame"),
        (with_features(lambda f: f.astype(int)), "floating point"),
        (with_features(lambda f: np.full_like(f, 1e300, dtype=np.float64)), "must be finite"),
        (with_features(lambda f: f[:-1]), r"labels must have shape \(24,\)"),
        (with_labels(lambda x: x.astype(np.int64) - 9), "from 0 to 9999"),
        (with_labels(lambda x: x.astype(np.int64) + 10_000), "from 0 to 9999"),
        (with_labels(lambda x: x + np.uint8(60)), "less than the number of phones, 5"),
        (with_labels(lambda x: x.astype(np.float32)), "must be integers"),
        (with_labels(lambda x: None), "either all utterances must have labels or none"),
    ],
)
def test_damaged_utterance_is_named_and_nothing_is_left_behind(tmp_path, damage, message):
    with pytest.raises(DataError, match=message) as caught:
        prepare(Damaged(damage), tmp_path)
    assert "train1" in str(caught.value) or "number of phones" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"train": (5,)}, "must have a dev split"),
        ({"train": (5,), "dev": ()}, "toy dev: must contain at least one utterance"),
    ],
)
def test_missing_or_empty_split_is_refused(tmp_path, lengths, message):
    with pytest.raises(DataError, match=message):
        prepare(ToyCorpus(lengths), tmp_path)


def test_arrays_equal_those_of_the_corpus(tmp_path):
    corpus = ToyCorpus()
    prepared = prepare(corpus, tmp_path)
    for split, arrays in prepared.splits.items():
        utterances = list(corpus.utterances(split))
        features = np.concatenate([u.features for u in utterances])
        labels = np.concatenate([u.labels for u in utterances])
        np.testing.assert_array_equal(arrays.features, features)
        np.testing.assert_array_equal(arrays.labels, labels)
        assert arrays.ids == tuple(u.id for u in utterances)
        assert set(arrays.speakers) == {"someone"}


class Dying(ToyCorpus):
    """Kills its own process in the middle of dev."""

    def utterances(self, split):
        yield next(iter(super().utterances(split)))
        if split == "dev":
            os.kill(os.getpid(), signal.SIGKILL)


def test_killed_preparation_leaves_no_incomplete_corpus(tmp_path):
    process = multiprocessing.get_context("fork").Process(
        target=prepare, args=(Dying(), tmp_path)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [p.name[0] for p in tmp_path.iterdir()] == ["."]  # only under a hidden name
    prepared = prepare(ToyCorpus(), tmp_path)
    assert len(prepared.splits["train"].lengths) == 4
    assert [p.name for p in tmp_path.iterdir()] == [prepared.folder.name]


def _prepare_together(barrier, cache, results):
    corpus = ToyCorpus()
    barrier.wait()
    results.put(prepare(corpus, cache).digest)


def test_four_processes_may_prepare_one_corpus_together(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_prepare_together, args=(barrier, tmp_path, results))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    digests = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0] * 4
    assert digests == {prepare(ToyCorpus(), tmp_path).digest}
    assert len(list(tmp_path.iterdir())) == 1
