"""NTU's windows of TIMIT become utterances again; other rows are refused."""

import zipfile

import numpy as np
import pytest

from framesweep.config.readers.ntu import Timit11Config
from framesweep.data.readers.timit_11 import Timit11Corpus, find_utterances
from framesweep.data.store.prepared import prepare
from framesweep.errors import DataError

RNG = np.random.default_rng(0)
DIM = 39
LENGTHS = (30, 1, 12, 25, 9, 20, 18, 22, 16, 14)
FRAMES = [RNG.normal(size=(length, DIM)).astype(np.float32) for length in LENGTHS]


def cut(frames):
    """Return the windows of 11 frames of an utterance whose edge frames are repeated."""
    padded = np.pad(frames, ((5, 5), (0, 0)), mode="edge")
    return np.stack([padded[i : i + 11].ravel() for i in range(len(frames))])


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "timit_11"
    folder.mkdir()
    np.save(folder / "train_11.npy", np.concatenate([cut(frames) for frames in FRAMES]))
    np.save(folder / "train_label_11.npy", (np.arange(sum(LENGTHS)) % 39).astype("U2"))
    np.save(folder / "test_11.npy", np.concatenate([cut(frames) for frames in FRAMES[:3]]))
    return tmp_path


def corpus(root, **keys):
    return Timit11Corpus(Timit11Config(root=str(root), **keys))


def test_windows_become_the_utterances_that_they_were_cut_from(root):
    found = corpus(root, dev_share=0.2)
    utterances = {
        int(u.id.split("-")[1]): u
        for split in ("train", "dev")
        for u in found.utterances(split)
    }
    starts = np.cumsum([0, *LENGTHS])
    assert sorted(utterances) == starts[:-1].tolist()
    for start, frames in zip(starts, FRAMES, strict=False):
        np.testing.assert_array_equal(utterances[start].features, frames)
        expected = np.arange(start, start + len(frames)) % 39
        np.testing.assert_array_equal(utterances[start].labels, expected)
    assert [len(list(found.utterances(split))) for split in ("train", "dev")] == [8, 2]


def test_rows_of_test_keep_their_order(root):
    found = [utterance.features for utterance in corpus(root).utterances("test")]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(FRAMES[:3]))


def test_utterances_are_found_across_chunks(monkeypatch):
    windows = np.concatenate([cut(frames) for frames in FRAMES])
    expected = np.cumsum([0, *LENGTHS]).tolist()
    for chunk in (1, 7, 1000):
        monkeypatch.setattr("framesweep.data.readers.timit_11.CHUNK", chunk)
        assert find_utterances(windows, "file").tolist() == expected


def test_corpus_is_prepared_also_from_the_zip_file(root, tmp_path):
    with zipfile.ZipFile(tmp_path / "timit.zip", "w") as archive:
        for path in (root / "timit_11").iterdir():
            archive.write(path, f"timit_11/{path.name}")
    folder, zipped = corpus(root), corpus(tmp_path / "timit.zip")
    assert folder.source_key() == corpus(root).source_key() != zipped.source_key()
    prepared = [prepare(found, tmp_path / "cache") for found in (folder, zipped)]
    for split in ("train", "dev", "test"):
        ours, theirs = (p.splits[split] for p in prepared)
        np.testing.assert_array_equal(ours.features, theirs.features)
    assert prepared[0].phones.names == tuple(str(i) for i in range(39))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "train_11",
            RNG.permutation(np.concatenate([cut(f) for f in FRAMES])),
            "follow one another",
        ),
        (
            "train_11",
            np.zeros((4, 430), np.float32),
            "11 frames of equal size; found '430 values'",
        ),
        ("train_11", np.zeros((4, 429), np.int64), "floating-point windows; found 'int64"),
        ("train_11", np.zeros((0, 429), np.float32), "floating-point windows"),
        ("train_label_11", np.array(["1", "2"]), "167 integers or texts, a label for each"),
        ("train_label_11", np.zeros(167), r"integers or texts.*found 'float64 \(167,\)'"),
        ("train_label_11", np.array(["sil"] * 167), "must be class numbers; found 'sil'"),
    ],
)
def test_other_arrays_are_refused(root, name, array, message):
    np.save(root / "timit_11" / f"{name}.npy", array)
    with pytest.raises(DataError, match=message):
        list(corpus(root).utterances("train"))


def test_missing_files_are_refused_by_name(root):
    (root / "timit_11" / "train_label_11.npy").unlink()
    with pytest.raises(DataError, match=r"must contain train_label_11\.npy"):
        corpus(root)
    (root / "timit_11" / "test_11.npy").unlink()
    np.save(root / "timit_11" / "train_label_11.npy", np.zeros(167, int))
    assert corpus(root).splits() == ("train", "dev")
