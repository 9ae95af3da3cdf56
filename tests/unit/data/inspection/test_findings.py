"""Statistics equal numpy's, and each kind of problem is reported."""

from dataclasses import replace

import numpy as np
import pytest

from framesweep.data.inspection.findings import find_problems, format_share, summarize
from framesweep.data.phones import NOTHING_TO_LEARN, PhoneSet
from framesweep.data.store.prepared import PreparedCorpus, SplitArrays

PHONES = PhoneSet(("SIL", "AA", "B"))


def make_split(name, seed, lengths=(40, 30, 50), labels=True, speakers=None, mean=0.0):
    rng = np.random.default_rng(seed)
    frames = sum(lengths)
    return SplitArrays(
        name=name,
        features=rng.normal(mean, 1, size=(frames, 3)).astype(np.float32),
        labels=rng.integers(0, 3, size=frames).astype(np.int16) if labels else None,
        lengths=np.array(lengths),
        ids=tuple(f"{name}-{i}" for i in range(len(lengths))),
        speakers=tuple(speakers or [""] * len(lengths)),
    )


def make_corpus(folder, **splits):
    return PreparedCorpus(folder, "toy", "digest", 3, PHONES, splits)


def summaries_of(corpus):
    return [summarize(split, len(PHONES)) for split in corpus.splits.values()]


def problems_in(corpus):
    return find_problems(corpus, summaries_of(corpus))


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(
        tmp_path,
        train=make_split("train", 0, speakers=["a", "b", "a"]),
        dev=make_split("dev", 1, speakers=["c", "c", "c"]),
        test=make_split("test", 2, labels=False),
    )


def test_corpus_without_problems_has_none(corpus):
    assert problems_in(corpus) == []


def test_statistics_equal_those_of_numpy(corpus, monkeypatch):
    monkeypatch.setattr("framesweep.data.inspection.findings.CHUNK_FRAMES", 7)
    train = corpus.splits["train"]
    summary = summarize(train, len(PHONES))
    np.testing.assert_allclose(summary.mean, train.features.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(summary.std, train.features.std(axis=0, dtype=np.float64))
    assert summary.lowest.tolist() == train.features.min(axis=0).tolist()
    assert summary.highest.tolist() == train.features.max(axis=0).tolist()
    assert summary.counts is not None
    assert summary.counts.tolist() == [int((train.labels == i).sum()) for i in range(3)]
    assert summary.num_speakers == 2
    assert summary.silence_share(PHONES) == float((train.labels == 0).mean())
    assert summarize(corpus.splits["test"], 3).silence_share(PHONES) is None
    assert summary.silence_share(PhoneSet.numbered(3)) is None


def test_constant_and_shifted_features_are_reported(corpus):
    corpus.splits["train"].features[:, 1] = 4.0
    corpus.splits["dev"].features[:, 2] += 5.0
    assert problems_in(corpus)[:3] == [
        "train: features that are constant: 1",
        "dev: features whose mean differs much from train: 1, 2",
        "test: features whose mean differs much from train: 1",
    ]


def test_silence_and_missing_phones_are_reported(corpus):
    corpus.splits["train"].labels[:] = 1
    corpus.splits["train"].labels[:80] = 0
    found = problems_in(corpus)
    assert "train: 66.7% of the frames are silence" in found
    assert "train: phones that never occur: B" in found
    assert "dev: phones that do not occur in train: B" in found
    assert "train: utterances with the same label in all frames: train-0, train-1" in found


def test_a_corpus_in_which_one_phone_occurs_is_reported(corpus):
    corpus.splits["train"].labels[:] = 0
    found = problems_in(corpus)
    assert "train: 100.0% of the frames are silence" in found
    assert f"train: {NOTHING_TO_LEARN}" in found


def test_a_share_of_silence_is_rounded_as_in_the_table(corpus):
    corpus.splits["train"].labels[:] = 0
    corpus.splits["train"].labels[0] = 1
    assert "train: 99.2% of the frames are silence" in problems_in(corpus)


def test_short_and_repeated_utterances_and_shared_speakers_are_reported(tmp_path):
    train = make_split("train", 0, lengths=(40, 5), speakers=["a", "b"])
    dev = make_split("dev", 1, lengths=(40, 60), speakers=["b", "c"])
    dev.features[:40] = train.features[:40]
    assert problems_in(make_corpus(tmp_path, train=train, dev=dev)) == [
        "train: utterances with fewer than 10 frames: train-1",
        "dev: speakers that are also in train: b",
        "dev: utterances that occur more than once in the corpus: dev-0",
    ]


def test_utterances_whose_features_never_change_are_reported(corpus):
    # Digital silence: every frame is the floor of the logarithm.
    corpus.splits["train"].features[:40] = -15.9
    corpus.splits["test"].features[40:70] = 0.0
    found = problems_in(corpus)
    assert "train: utterances with the same features in all frames: train-0" in found
    assert "test: utterances with the same features in all frames: test-1" in found
    assert not any(line.startswith("dev: utterances") for line in found)


def test_phones_in_upper_and_lower_case_are_reported_but_not_those_of_sampa(tmp_path):
    names = ("AA", "aa", "s", "S", "ts", "tS", "[SIL]", "[sil]")
    train = make_split("train", 0)
    corpus = PreparedCorpus(
        tmp_path,
        "toy",
        "digest",
        3,
        PhoneSet(names),
        {"train": replace(train, labels=(np.arange(len(train.features)) % 8).astype(np.int16))},
    )
    found = find_problems(corpus, [summarize(corpus.splits["train"], len(names))])
    line = "train: phones that differ only in upper and lower case: AA and aa, [SIL] and [sil]"
    assert line in found


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0%"), (1e-6, "<0.1%"), (0.5, "50.0%"), (0.9997, ">99.9%"), (1, "100.0%")],
)
def test_only_all_frames_are_a_hundred_per_cent(share, text):
    assert format_share(share) == text
