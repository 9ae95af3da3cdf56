"""Stored features of each kind become labelled frames, with segments or labels per frame."""

from typing import Any

import kaldiio
import numpy as np
import pytest
import torch

from framesweep.config import SegmentsConfig
from framesweep.data.readers.segments import SegmentsCorpus
from framesweep.data.store.prepared import prepare
from framesweep.errors import ConfigError, DataError

NUM_FRAMES = 50
RNG = np.random.default_rng(0)
UTTERANCES = {
    f"{split}/{name}": RNG.normal(size=(NUM_FRAMES, 8)).astype(np.float32)
    for split in ("train", "dev")
    for name in ("a", "b")
}
LABELS = np.repeat([0, 2, 1, 0], [20, 30, 30, 20])
"""Labels of 10 ms, twice as many as there are frames of 20 ms."""
NAMES = ("sil", "aa", "t")


def write_features(root, kind):
    for id, features in UTTERANCES.items():
        path = root / "feat" / f"{id}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "npy":
            np.save(path, features)
        elif kind == "pt":
            torch.save(torch.from_numpy(features), path)
    if kind in ("ark", "scp"):
        scp = str(root / "feat" / "feats.scp") if kind == "scp" else None
        kaldiio.save_ark(str(root / "feat" / "feats.ark"), UTTERANCES, scp=scp)


def write_labels(root, kind):
    (root / "labels").mkdir(parents=True, exist_ok=True)
    for id in UTTERANCES:
        (root / "labels" / id).parent.mkdir(parents=True, exist_ok=True)
        if kind == "segments":
            rows = ((0, 0.2, 0), (0.2, 0.5, 2), (0.5, 0.8, 1), (0.8, 1.02, 0))
            text = "".join(f"{start} {end} {NAMES[i]}\n" for start, end, i in rows)
            (root / "labels" / f"{id}.lab").write_text(text)
        elif kind == "arrays":
            np.save(root / "labels" / f"{id}.npy", LABELS)
        elif kind == "names":
            text = " ".join(NAMES[i] for i in LABELS)
            (root / "labels" / f"{id}.txt").write_text(text)
    if kind == "table":
        lines = [f"{id} {' '.join(map(str, LABELS))}\n" for id in UTTERANCES]
        (root / "labels" / "labels.txt").write_text("".join(lines))


def corpus(root, kind, **keys):
    features: Any = "ark" if kind == "scp" else kind
    defaults = {"audio": "feat", "segments": "labels", "shift_ms": 20.0, "test": None}
    keys = {"root": str(root), "workers": 1, **defaults, **keys}
    return SegmentsCorpus(SegmentsConfig(features=features, **keys))


@pytest.mark.parametrize("kind", ["npy", "pt", "ark", "scp"])
@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        ("segments", {}),
        ("arrays", {"format": "frames"}),
        ("names", {"format": "frames"}),
        ("table", {"format": "frames"}),
        ("table", {"format": "frames", "segments": "labels/labels.txt"}),
    ],
)
def test_stored_features_get_the_labels_at_their_centers(tmp_path, kind, labels, keys):
    write_features(tmp_path, kind)
    write_labels(tmp_path, labels)
    found = corpus(tmp_path, kind, **keys)
    phones = found.phone_set(0).names
    expected = LABELS[::2]
    for split in ("train", "dev"):
        for utterance in found.utterances(split):
            np.testing.assert_array_equal(utterance.features, UTTERANCES[utterance.id])
            assert utterance.labels is not None
            names = [phones[label] for label in utterance.labels]
            numbers = labels in ("arrays", "table")
            assert names == [str(i) if numbers else NAMES[i] for i in expected]
    assert found.find_problems() == []
    assert found.num_utterances("train") == 2
    assert (len(phones), len(prepare(found, tmp_path / "cache").phones)) == (3, 3)


def test_class_numbers_take_their_names_from_data_phones(tmp_path):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "arrays")
    (tmp_path / "phones.txt").write_text("".join(f"{name}\n" for name in NAMES))
    found = corpus(tmp_path, "npy", format="frames", phones=str(tmp_path / "phones.txt"))
    assert found.phone_set(0).names == NAMES
    assert next(found.utterances("dev")).labels.tolist() == LABELS[::2].tolist()


def test_lengths_that_differ_are_reported_whatever_the_rule(tmp_path):
    write_features(tmp_path, "pt")
    write_labels(tmp_path, "arrays")
    np.save(tmp_path / "labels" / "train" / "a.npy", np.arange(60) % 3)
    found = corpus(tmp_path, "pt", format="frames", match_length="repeat")
    assert found.find_problems() == [
        "train train/a: 50 frames of 20 ms, 60 labels of 10 ms",
    ]
    assert [len(u.features) for u in found.utterances("train")] == [60, 100]
    with pytest.raises(DataError, match="labels must end with the features"):
        list(corpus(tmp_path, "pt", format="frames").utterances("train"))


def test_segments_far_beyond_the_features_are_refused(tmp_path):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    (tmp_path / "labels" / "train" / "a.lab").write_text("0.0 2.0 aa\n")
    with pytest.raises(
        DataError,
        match=r"with its features, at 1\.025 s; found '2\.000 s'\. Check data\.shift_ms=20",
    ):
        list(corpus(tmp_path, "npy").utterances("train"))


def test_values_that_are_not_finite_are_refused_with_the_file(tmp_path):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    np.save(tmp_path / "feat" / "train" / "a.npy", np.full((50, 8), np.nan, np.float32))
    with pytest.raises(DataError, match=r"a\.npy, utterance train/a: features must be finite"):
        list(corpus(tmp_path, "npy").utterances("train"))


def test_missing_features_are_named_by_their_suffix(tmp_path):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    with pytest.raises(DataError, match=r"feat: must contain features: \.pt, \.pth"):
        corpus(tmp_path, "pt")


def test_keys_of_stored_features_leave_other_prepared_corpora_valid(tmp_path):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    settings = corpus(tmp_path, "npy").source_key()["settings"]
    assert not {"offset_ms", "label_shift_ms", "match_length"} & settings.keys()
    assert corpus(tmp_path, "npy", offset_ms=3.0).source_key()["settings"]["offset_ms"] == 3.0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "frames"}, r"data\.format: needs stored features; found 'frames'"),
        ({"features": "pt", "match_length": "pad"}, r"data\.match_length: needs a label per"),
        ({"match_length": "pad"}, r"data\.match_length: needs a label per frame"),
        ({"features": "npy", "format": "frames"}, r"data\.segments: must be another folder"),
        ({"offset_ms": -1.0}, r"data\.offset_ms: must be"),
        ({"label_shift_ms": 0.0}, r"data\.label_shift_ms: must be"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        SegmentsConfig(**keys)


@pytest.mark.parametrize(("shift_ms", "doubtful"), [(20.0, 0), (24.0, 0), (30.0, 2)])
def test_a_frame_shift_that_is_too_large_raises_doubts(tmp_path, caplog, shift_ms, doubtful):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    found = corpus(tmp_path, "npy", shift_ms=shift_ms)
    list(found.utterances("train"))
    line = (
        "train: the segments of 2 of 2 utterances end before the last 20% of their features: "
        "is data.shift_ms=30 right?"
    )
    assert caplog.messages == ([line] if doubtful else [])
    problems = found.find_problems()
    assert len(problems) == 2 * doubtful
    assert not doubtful or problems[0] == (
        "train train/a: segments end at 1.02 s, the features at 1.48 s"
    )


def test_a_label_per_frame_raises_no_doubts(tmp_path, caplog):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "names")
    for id in UTTERANCES:
        text = " ".join(["sil"] * 100)
        (tmp_path / "labels" / f"{id}.txt").write_text(text)
    list(corpus(tmp_path, "npy", format="frames").utterances("train"))
    assert caplog.messages == []


def test_a_corpus_without_any_labels_of_frames_is_refused(tmp_path):
    write_features(tmp_path, "npy")
    (tmp_path / "labels").mkdir()
    unlabelled = corpus(tmp_path, "npy", format="frames", max_missing=1.0)
    with pytest.raises(DataError, match="train: must contain at least one utterance"):
        prepare(unlabelled, tmp_path / "cache")


def test_keys_without_an_effect_are_named(tmp_path, caplog):
    write_features(tmp_path, "npy")
    write_labels(tmp_path, "segments")
    corpus(tmp_path, "npy", offset_ms=3.0)
    assert caplog.messages == []
    keys = {"label_shift_ms": 20.0, "dev_speakers": ["a"], "split": "utterances"}
    keys |= {"test": "test"}
    corpus(tmp_path, "npy", **keys, dev_share=0.5, test_share=0.0)
    assert caplog.messages == [
        "data.label_shift_ms has no effect: it needs data.format=frames",
        "data.dev_speakers has no effect: it needs data.split=folders",
    ]
    config = SegmentsConfig(root=str(tmp_path), offset_ms=3.0)
    assert config.list_ineffective() == [("data.offset_ms", "stored features")]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"split": "utterances", "train": "a", "test": None}, ["data.train", "data.test"]),
        ({"split": "speakers", "dev_share": 0.2, "test_share": 0.2}, []),
        ({"split": "lists", "train": "a", "dev": None, "dev_share": 0.2}, []),
        ({"dev_share": 0.2, "test_share": 0.2}, ["data.dev_share", "data.test_share"]),
    ],
)
def test_keys_of_other_ways_to_split_have_no_effect(keys, expected):
    assert [key for key, _ in SegmentsConfig(**keys).list_ineffective()] == expected
