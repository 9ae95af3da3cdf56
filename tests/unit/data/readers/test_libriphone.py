"""NTU's libriphone is read in the order of its lists; missing and damaged files are refused."""

import zipfile

import numpy as np
import pytest
import torch

from framesweep.config.readers.ntu import LibriphoneConfig
from framesweep.data.readers.libriphone import LibriphoneCorpus
from framesweep.data.store.prepared import prepare
from framesweep.errors import ConfigError, DataError

TRAIN = [f"{speaker}-198-{i:04}" for i in range(5) for speaker in (19, 7)]
TEST = ["3-1-0001", "3-1-0000"]


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "libriphone"
    lines = []
    for split, ids in (("train", TRAIN), ("test", TEST)):
        (folder / "feat" / split).mkdir(parents=True)
        for id in ids:
            labels = rng.integers(0, 41, size=rng.integers(20, 30))
            features = rng.normal(size=(len(labels), 39)).astype(np.float32)
            torch.save(torch.from_numpy(features), folder / "feat" / split / f"{id}.pt")
            lines += [f"{id} {' '.join(map(str, labels))}\n"] if split == "train" else []
        (folder / f"{split}_split.txt").write_text("".join(f"{id}\n" for id in ids))
    (folder / "train_labels.txt").write_text("".join(sorted(lines)))
    return tmp_path


def corpus(root, **keys):
    return LibriphoneCorpus(LibriphoneConfig(root=str(root), **keys))


def test_utterances_follow_the_lists_and_dev_is_a_share_of_train(root):
    found = corpus(root, dev_share=0.2)
    ids = {split: [u.id for u in found.utterances(split)] for split in found.splits()}
    assert ids["test"] == TEST
    assert ids["dev"] == [TRAIN[4], TRAIN[9]]
    assert sorted(ids["train"] + ids["dev"]) == sorted(TRAIN)
    assert [found.num_utterances(split) for split in found.splits()] == [8, 2, 2]


def test_features_labels_and_speakers_are_those_of_the_files(root):
    lines = (root / "libriphone" / "train_labels.txt").read_text().splitlines()
    labels = {line.split()[0]: [int(x) for x in line.split()[1:]] for line in lines}
    for utterance in corpus(root).utterances("train"):
        file = root / "libriphone" / "feat" / "train" / f"{utterance.id}.pt"
        np.testing.assert_array_equal(utterance.features, torch.load(file).numpy())
        assert utterance.labels.tolist() == labels[utterance.id]
        assert utterance.speaker == utterance.id.split("-")[0]
    assert all(utterance.labels is None for utterance in corpus(root).utterances("test"))


def test_corpus_is_prepared_and_limited(root, tmp_path):
    prepared = prepare(corpus(root, max_utterances=2), tmp_path / "cache")
    assert [len(split.ids) for split in prepared.splits.values()] == [2, 1, 2]
    assert prepared.feature_dim == 39
    assert set(prepared.phones.names) <= {str(i) for i in range(41)}


def test_source_key_changes_with_files_and_settings(root):
    key = corpus(root).source_key()
    assert corpus(root).source_key() == key
    assert corpus(root, dev_share=0.3).source_key() != key
    path = root / "libriphone" / "test_split.txt"
    path.write_text(path.read_text() + "\n\n")
    assert corpus(root).source_key() != key


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train_labels.txt",
            "",
            r"a line for each utterance of train_split\.txt; found 'none for 19-.*Leave the",
        ),
        ("train_labels.txt", None, r"must contain train_labels\.txt\. The layout is train_la"),
        ("train_split.txt", None, r"must contain train_split\.txt\. The layout is train_la"),
        ("train_split.txt", "", "must list each utterance once"),
        ("test_split.txt", "b\na\na\n", "must list each utterance once.*; found a$"),
        ("test_split.txt", "../a\n", "must list each utterance once.*; found \\.\\./a$"),
        ("test_split.txt", "b\na.pt\n", "by its id, without folder and suffix; found a.pt$"),
    ],
)
def test_missing_and_malformed_lists_are_refused(root, name, content, message):
    path = root / "libriphone" / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=message):
        corpus(root)


@pytest.mark.parametrize(("split", "id"), [("train", TRAIN[3]), ("test", TEST[1])])
def test_a_missing_tensor_is_refused_before_any_is_read(root, split, id):
    (root / "libriphone" / "feat" / split / f"{id}.pt").unlink()
    name = rf"{split}_split\.txt"
    message = rf"{id}\.pt: must be a file, because {name} lists it\..* leave {id} out of {name}"
    with pytest.raises(DataError, match=message):
        corpus(root)


def test_a_zip_file_is_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "libriphone.zip", "w") as archive:
        archive.writestr("libriphone/train_labels.txt", "a 1 2\n")
    with pytest.raises(DataError, match=r"must be a folder; found '\S*phone\.zip'\. Unzip"):
        corpus(tmp_path / "libriphone.zip")


def test_labels_that_are_no_class_numbers_are_refused(root):
    path = root / "libriphone" / "train_labels.txt"
    path.write_text(path.read_text().replace(f"{TRAIN[0]} ", f"{TRAIN[0]} sil "))
    with pytest.raises(
        DataError, match=rf"{TRAIN[0]}: labels must be class numbers; found 'sil'"
    ):
        list(corpus(root).utterances("train"))


def test_share_without_a_dev_utterance_is_refused(root):
    with pytest.raises(DataError, match=r"data\.dev_share: must leave utterances for both"):
        corpus(root, dev_share=0.01)
    with pytest.raises(ConfigError, match=r"data\.dev_share"):
        corpus(root, dev_share=1.0)
