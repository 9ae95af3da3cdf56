"""The text and the picture show the statistics of each split."""

import dataclasses

import numpy as np
import pytest

from framesweep.data.inspection.findings import summarize
from framesweep.data.inspection.report import hours, text_report, write_picture
from framesweep.data.phones import PhoneSet
from framesweep.data.store.prepared import PreparedCorpus, SplitArrays

PHONES = PhoneSet(("SIL", "AA", "B"))
LENGTHS = (40, 30, 50)


def make_split(name, speakers=("", "", ""), labels=True):
    rng = np.random.default_rng(len(name))
    return SplitArrays(
        name=name,
        features=rng.normal(size=(sum(LENGTHS), 3)).astype(np.float32),
        labels=np.repeat([0, 1, 0], LENGTHS).astype(np.int16) if labels else None,
        lengths=np.array(LENGTHS),
        ids=tuple(f"{name}-{i}" for i in range(3)),
        speakers=speakers,
    )


@pytest.fixture
def corpus(tmp_path):
    splits = {
        "train": make_split("train", speakers=("a", "b", "a")),
        "dev": make_split("dev"),
        "test": make_split("test", labels=False),
    }
    return PreparedCorpus(tmp_path, "toy", "digest", 3, PHONES, splits)


def summaries_of(corpus):
    return [summarize(split, len(corpus.phones)) for split in corpus.splits.values()]


def row_of(text, split):
    return next(line for line in text.splitlines() if line.startswith(split)).split()


def test_each_split_has_a_row(corpus):
    text = text_report(corpus, summaries_of(corpus), [], 10.0)
    assert text.startswith("toy: 3 features per frame, 3 phones\n")
    spread = ["30", "/", "40", "/", "50"]
    assert row_of(text, "train") == ["train", "3", "2", "0.00", "120", *spread, "75.0%"]
    assert row_of(text, "dev") == ["dev", "3", "?", "0.00", "120", *spread, "75.0%"]
    assert row_of(text, "test")[-2:] == ["no", "labels"]


def test_phones_are_listed_by_frequency(corpus):
    lines = text_report(corpus, summaries_of(corpus), [], 10.0).splitlines()
    assert (
        "most frequent phones in train, share of frames: SIL 75.0%, AA 25.0%, B 0.0%" in lines
    )
    assert "rarest phones, number of frames: SIL 90, AA 30, B 0" in lines


def test_silence_of_unnamed_phones_is_unknown(corpus):
    numbered = dataclasses.replace(corpus, phones=PhoneSet.numbered(3))
    text = text_report(numbered, summaries_of(numbered), [], 10.0)
    assert row_of(text, "train")[-1] == "?"


def test_problems_come_last(corpus):
    summaries = summaries_of(corpus)
    text = text_report(corpus, summaries, ["dev: something"], 10.0)
    assert text.endswith("\nPossible problems:\n  dev: something")
    assert text_report(corpus, summaries, [], 10.0).endswith("\nNo problems found.")


def test_hours_follow_the_frame_shift(corpus):
    train = summaries_of(corpus)[0]
    assert hours(train, 10.0) == pytest.approx(1.2 / 3600)
    assert hours(train, 20.0) == pytest.approx(2.4 / 3600)


@pytest.mark.filterwarnings("error")
def test_names_are_drawn_as_they_are_even_if_they_look_like_formulas(corpus, tmp_path):
    train = dataclasses.replace(corpus.splits["train"], ids=("$x^$", "b", "c"))
    odd = dataclasses.replace(
        corpus,
        phones=PhoneSet(("$^$", "\u0915", "B")),
        splits={**corpus.splits, "train": train},
    )
    write_picture(tmp_path / "a.png", odd, summaries_of(odd), 10.0)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_picture_is_a_png(corpus, tmp_path):
    write_picture(tmp_path / "a.png", corpus, summaries_of(corpus), 10.0)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
