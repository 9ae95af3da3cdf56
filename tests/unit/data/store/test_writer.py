"""The files have the documented content, and the digest follows it."""

import json

import numpy as np
import pytest

from framesweep.data.corpus import Utterance
from framesweep.data.phones import PhoneSet
from framesweep.data.store.writer import write_corpus
from framesweep.errors import DataError
from toy import NAMES, ToyCorpus


class TestWithoutLabels(ToyCorpus):
    __test__ = False

    def utterances(self, split):
        for u in super().utterances(split):
            yield u if split != "test" else Utterance(u.id, u.features, None)


def test_files_contain_what_the_reader_yields(tmp_path):
    corpus = ToyCorpus()
    meta = write_corpus(corpus, tmp_path)[0]
    assert (meta["name"], meta["feature_dim"], meta["phones"]) == ("toy", 6, NAMES)
    for split in corpus.splits():
        utterances = list(corpus.utterances(split))
        features = np.fromfile(tmp_path / f"{split}.features", np.float32).reshape(-1, 6)
        assert np.array_equal(features, np.concatenate([u.features for u in utterances]))
        labels = np.fromfile(tmp_path / f"{split}.labels", np.int16)
        assert np.array_equal(labels, np.concatenate([u.labels for u in utterances]))
        lengths = np.fromfile(tmp_path / f"{split}.lengths", np.int64)
        assert lengths.tolist() == [len(u.features) for u in utterances]
        pairs = json.loads((tmp_path / f"{split}.utterances.json").read_text())
        assert pairs == [[u.id, u.speaker] for u in utterances]
        assert meta["splits"][split] == {
            "num_utterances": len(utterances),
            "num_frames": len(labels),
            "labelled": True,
        }


def test_split_without_labels_has_no_file_of_labels(tmp_path):
    meta = write_corpus(TestWithoutLabels(), tmp_path)[0]
    assert not meta["splits"]["test"]["labelled"]
    assert not (tmp_path / "test.labels").exists()


def test_digest_differs_if_the_content_does(tmp_path):
    def digest(corpus):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return write_corpus(corpus, folder)[0]["digest"]

    digests = [digest(ToyCorpus()), digest(ToyCorpus()), digest(ToyCorpus(seed=1))]
    assert digests[0] == digests[1] != digests[2]
    assert digest(TestWithoutLabels()) not in digests


def test_train_and_dev_need_labels(tmp_path):
    class Unlabelled(ToyCorpus):
        def utterances(self, split):
            for u in super().utterances(split):
                yield Utterance(u.id, u.features, None)

    with pytest.raises(DataError, match="toy train: must have labels"):
        write_corpus(Unlabelled(), tmp_path)


def test_phone_set_must_name_every_label(tmp_path):
    class FewPhones(ToyCorpus):
        def phone_set(self, num_classes):
            return PhoneSet(NAMES[: num_classes - 1])

    rule = "labels must be less than the number of phones, 4; found 4"
    with pytest.raises(DataError, match=rule):
        write_corpus(FewPhones(), tmp_path)
