"""Object arrays of every kind become utterances; other content is refused by file and index."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framesweep.config import Hw1p2Config
from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.hw1p2 import Hw1p2Corpus
from framesweep.errors import ConfigError, DataError

LENGTHS = {"train": (5, 3, 4), "dev": (2, 6), "test": (4,)}
REAL = Path(__file__).parents[5] / "shared" / "corpora" / "speechocean_npy"


def object_array(items: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def features_of(lengths: tuple[int, ...], dtype: str = "f4") -> list[np.ndarray[Any, Any]]:
    return [
        (np.arange(t * 3).reshape(t, 3) + i / 8).astype(dtype) for i, t in enumerate(lengths)
    ]


def labels_of(lengths: tuple[int, ...], dtype: str = "i8") -> list[np.ndarray[Any, Any]]:
    return [(np.arange(t) % 4).astype(dtype) for t in lengths]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, lengths in LENGTHS.items():
        np.save(tmp_path / f"{split}.npy", object_array(features_of(lengths)))
        if split != "test":
            np.save(tmp_path / f"{split}_labels.npy", object_array(labels_of(lengths)))
    return tmp_path


def corpus_of(root: Path, **settings: Any) -> Hw1p2Corpus:
    return Hw1p2Corpus(Hw1p2Config(root=str(root), **settings))


def zip_up(path: Path) -> None:
    with zipfile.ZipFile(f"{path}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    path.unlink()


def assert_read(corpus: Hw1p2Corpus, split: str, label_dtype: str = "i8") -> None:
    lengths = LENGTHS[split]
    read = list(corpus.utterances(split))
    assert [u.id for u in read] == [f"{split}-{i:05d}" for i in range(len(lengths))]
    for u, there in zip(read, features_of(lengths), strict=True):
        np.testing.assert_array_equal(u.features, there)
        assert u.features.flags.aligned
        assert u.speaker == ""
    for u, labels in zip(read, labels_of(lengths, label_dtype), strict=True):
        if split == "test":
            assert u.labels is None
        else:
            assert u.labels is not None
            np.testing.assert_array_equal(u.labels, labels)
            assert u.labels.dtype.kind in "iu"


def test_utterances_come_in_order_with_their_labels(root: Path) -> None:
    corpus = corpus_of(root)
    assert corpus.splits() == ("train", "dev", "test")
    for split in corpus.splits():
        assert corpus.num_utterances(split) == len(LENGTHS[split])
        assert_read(corpus, split)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_features_of_any_float_type_are_read(root: Path, dtype: str) -> None:
    np.save(root / "train.npy", object_array(features_of(LENGTHS["train"], dtype)))
    assert_read(corpus_of(root), "train")
    first = next(corpus_of(root).utterances("train"))
    assert first.features.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", "i4", ">u4", "i8", "u8"])
def test_labels_of_any_integer_type_are_read(root: Path, dtype: str) -> None:
    np.save(root / "train_labels.npy", object_array(labels_of(LENGTHS["train"], dtype)))
    assert_read(corpus_of(root), "train", dtype)


def test_zipped_arrays_are_read(root: Path) -> None:
    for path in root.glob("*.npy"):
        zip_up(path)
    corpus = corpus_of(root)
    for split in corpus.splits():
        assert corpus.num_utterances(split) is None
        assert_read(corpus, split)


def test_labels_of_test_are_read_if_present(root: Path) -> None:
    np.save(root / "test_labels.npy", object_array(labels_of(LENGTHS["test"])))
    read = next(corpus_of(root).utterances("test"))
    assert read.labels is not None
    assert read.labels.tolist() == [0, 1, 2, 3]


def test_corpus_without_test_is_read(root: Path) -> None:
    (root / "test.npy").unlink()
    assert corpus_of(root).splits() == ("train", "dev")


@pytest.mark.parametrize("as_objects", [False, True])
def test_utterances_of_one_length_are_read(root: Path, as_objects: bool) -> None:
    kind = object if as_objects else None
    features, labels = features_of((4, 4)), labels_of((4, 4))
    np.save(root / "train.npy", np.array(features, dtype=kind))
    np.save(root / "train_labels.npy", np.array(labels, dtype=kind))
    corpus = corpus_of(root)
    assert corpus.num_utterances("train") == 2
    for i, u in enumerate(corpus.utterances("train")):
        np.testing.assert_array_equal(u.features, features[i])
        assert u.features.dtype.kind == "f"
        assert u.labels is not None
        assert u.labels.tolist() == labels[i].tolist()
        assert u.labels.dtype.kind == "i"


def test_limit_keeps_the_first_utterances_of_each_split(root: Path) -> None:
    corpus = corpus_of(root, max_utterances=2)
    assert [u.id for u in corpus.utterances("train")] == ["train-00000", "train-00001"]
    assert [corpus.num_utterances(split) for split in corpus.splits()] == [2, 2, 1]


def test_source_key_depends_on_files_and_limit(root: Path) -> None:
    key = corpus_of(root).source_key()
    assert {Path(path).name for path in key["files"]} == {p.name for p in root.iterdir()}
    assert corpus_of(root).source_key() == key
    assert corpus_of(root, max_utterances=1).source_key() != key
    (root / "phonemes.txt").write_text("AA 0")
    assert corpus_of(root).source_key() != key


class TestPhones:
    def test_are_named_by_a_file(self, root: Path) -> None:
        (root / "phonemes.txt").write_text("B 1\nAA 0\nCH 2\n")
        assert corpus_of(root).phone_set(3).names == ("AA", "B", "CH")
        assert corpus_of(root).phone_set(2).names == ("AA", "B", "CH")

    def test_are_arpabet_for_71_classes(self, root: Path) -> None:
        assert corpus_of(root).phone_set(71) is ARPABET_71

    @pytest.mark.parametrize("num_classes", [40, 70, 72, 138, 346])
    def test_are_numbers_for_any_other_number_of_classes(
        self, root: Path, num_classes: int
    ) -> None:
        names = corpus_of(root).phone_set(num_classes).names
        assert names == tuple(str(i) for i in range(num_classes))

    def test_fewer_names_than_classes_are_refused(self, root: Path) -> None:
        (root / "phonemes.txt").write_text("AA 0\nB 1")
        with pytest.raises(DataError, match=r"phonemes\.txt: must name all 4 classes"):
            corpus_of(root).phone_set(4)


class TestBadInput:
    def test_missing_root_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"data\.root"):
            Hw1p2Corpus(Hw1p2Config())

    @pytest.mark.parametrize("name", ["train", "train_labels", "dev", "dev_labels"])
    def test_missing_file_is_named(self, root: Path, name: str) -> None:
        (root / f"{name}.npy").unlink()
        with pytest.raises(DataError, match=rf"must contain {name}\.npy or {name}\.npy\.zip"):
            corpus_of(root)

    def test_differing_numbers_of_utterances_are_refused(self, root: Path) -> None:
        np.save(root / "train_labels.npy", object_array(labels_of((5, 3))))
        with pytest.raises(DataError, match=r"as many utterances as train\.npy, 3; found 2"):
            list(corpus_of(root).utterances("train"))

    @pytest.mark.parametrize(
        ("utterance", "rule"),
        [
            ("AA", "must be an array; found 'str'"),
            (None, "must be an array; found 'NoneType'"),
            (object_array([1, "AA"]), "must contain only numbers; found 'str'"),
            (object_array([np.zeros(2), np.zeros(3)]), "must be one array of numbers"),
        ],
    )
    def test_utterance_that_is_not_an_array_of_numbers_is_refused(
        self, root: Path, utterance: Any, rule: str
    ) -> None:
        items = [*features_of((2,)), utterance, *features_of((4,))]
        np.save(root / "train.npy", object_array(items))
        with pytest.raises(DataError, match=rf"train\.npy, utterance 1: {rule}"):
            list(corpus_of(root).utterances("train"))

    def test_single_value_instead_of_a_split_is_refused(self, root: Path) -> None:
        np.save(root / "train.npy", np.float32(1))
        with pytest.raises(DataError, match="must contain one array per utterance"):
            list(corpus_of(root).utterances("train"))
        assert corpus_of(root).num_utterances("train") == 0


@pytest.mark.skipif(not REAL.is_dir(), reason="the corpus is not on this machine")
def test_real_corpus_has_its_known_size() -> None:
    corpus = corpus_of(REAL)
    counts = {}
    for split in corpus.splits():
        read = list(corpus.utterances(split))
        counts[split] = (len(read), sum(len(u.features) for u in read))
        assert {u.features.shape[1] for u in read} == {40}
        assert corpus.num_utterances(split) == len(read)
        if split != "test":
            assert all(u.labels is not None and len(u.labels) == len(u.features) for u in read)
    assert counts == {"train": (1500, 620_241), "dev": (250, 96_143), "test": (250, 96_622)}
    assert corpus.phone_set(40).silence_ids == (0,)


@pytest.mark.skipif(not REAL.is_dir(), reason="the corpus is not on this machine")
def test_real_corpus_equals_what_numpy_reads() -> None:
    there = np.load(REAL / "dev.npy", allow_pickle=True)
    for u, features in zip(corpus_of(REAL).utterances("dev"), there, strict=True):
        assert u.features.dtype == features.dtype
        np.testing.assert_array_equal(u.features, features)
