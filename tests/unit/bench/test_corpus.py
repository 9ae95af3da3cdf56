"""The random corpus has the format and the size that were asked for."""

import numpy as np

from framesweep.bench.corpus import NUM_CLASSES, write_corpus
from framesweep.config import Hw1p2Config
from framesweep.data.readers.hw1p2 import Hw1p2Corpus


def test_the_random_corpus_can_be_read(tmp_path) -> None:
    root = write_corpus(tmp_path, 2500, feature_dim=4)
    assert write_corpus(tmp_path, 2500, feature_dim=4) == root
    corpus = Hw1p2Corpus(Hw1p2Config(root=str(root)))
    train = list(corpus.utterances("train"))
    assert sum(len(utterance.features) for utterance in train) == 2500
    assert train[0].features.shape[1] == 4
    assert max(int(utterance.labels.max()) for utterance in train) == NUM_CLASSES - 1
    assert sum(len(utterance.features) for utterance in corpus.utterances("dev")) == 1250


def test_a_corpus_that_exists_is_not_written_again(tmp_path) -> None:
    root = write_corpus(tmp_path, 1250, feature_dim=4)
    np.save(root / "train.npy", np.zeros(1))
    assert write_corpus(tmp_path, 1250, feature_dim=4) == root
    assert np.load(root / "train.npy").shape == (1,)


def test_an_interrupted_corpus_is_written_again(tmp_path) -> None:
    root = write_corpus(tmp_path, 1250, feature_dim=4)
    (root / "train_labels.npy").unlink()
    np.save(root / "train.npy", np.zeros(1))
    write_corpus(tmp_path, 1250, feature_dim=4)
    assert np.load(root / "train.npy").shape == (1, 1250, 4)
