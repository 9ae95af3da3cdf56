"""Archives and alignments become utterances; mismatches are skipped up to the allowed share."""

import os
import pickle

import kaldiio
import numpy as np
import pytest

from framesweep.config import KaldiConfig
from framesweep.data.readers.kaldi import KaldiCorpus
from framesweep.errors import ConfigError, DataError, UnsafeFileError


def arrays(number, seed=0):
    rng = np.random.default_rng(seed)
    features = {
        f"spk{i % 3}-utt{i:03}": rng.normal(size=(5 + i, 4)).astype(np.float32)
        for i in range(number)
    }
    labels = {
        id: rng.integers(0, 6, size=len(f)).astype(np.int32) for id, f in features.items()
    }
    return features, labels


def write_split(folder, features, labels, compression=None, text=False):
    folder.mkdir(parents=True, exist_ok=True)
    kaldiio.save_ark(
        str(folder / "feats.ark"),
        features,
        scp=str(folder / "feats.scp"),
        compression_method=compression,
    )
    if text:
        lines = (f"{id} {' '.join(map(str, values))}\n" for id, values in labels.items())
        (folder / "ali.txt").write_text("".join(lines))
    elif labels:
        kaldiio.save_ark(str(folder / "ali.ark"), labels, scp=str(folder / "ali.scp"))


@pytest.fixture
def corpus(tmp_path):
    for seed, split in enumerate(("train", "dev", "test")):
        features, labels = arrays(20, seed)
        write_split(tmp_path / split, features, labels if split != "test" else {})
    return tmp_path


def read(root, part="train", **keys):
    return list(KaldiCorpus(KaldiConfig(root=str(root), **keys)).utterances(part))


def test_utterances_follow_the_order_of_the_index(corpus):
    features, labels = arrays(20)
    found = read(corpus)
    assert [utterance.id for utterance in found] == list(features)
    for utterance in found:
        assert np.array_equal(utterance.features, features[utterance.id])
        assert np.array_equal(utterance.labels, labels[utterance.id])
    assert [utterance.labels for utterance in read(corpus, "test")] == [None] * 20


def test_text_alignments_and_speakers_are_read(tmp_path):
    features, labels = arrays(20)
    for split in ("train", "dev"):
        write_split(tmp_path / split, features, labels, text=True)
    (tmp_path / "train" / "utt2spk").write_text("".join(f"{id} {id[:4]}\n" for id in features))
    found = read(tmp_path, alignments="ali.txt")
    assert all(np.array_equal(u.labels, labels[u.id]) for u in found)
    assert {u.speaker for u in found} == {"spk0", "spk1", "spk2"}
    (tmp_path / "train" / "ali.txt").write_text("".join(f"{id} 1 x\n" for id in features))
    with pytest.raises(DataError, match=r"utterance spk0-utt000: labels must be integers"):
        read(tmp_path, alignments="ali.txt")


def test_relative_archives_are_found_in_the_root_or_beside_the_index(corpus):
    for folder, base in (("train", ""), ("dev", "dev/")):
        index = corpus / folder / "feats.scp"
        index.write_text(index.read_text().replace(f"{corpus}/{folder}/", base))
    assert len(read(corpus)) == len(read(corpus, "dev")) == 20


def test_utterances_without_features_or_labels_are_skipped_with_a_warning(corpus, caplog):
    index, labels = corpus / "train" / "feats.scp", corpus / "train" / "ali.scp"
    index.write_text("".join(index.read_text().splitlines(True)[1:]))
    labels.write_text("".join(labels.read_text().splitlines(True)[:-1]))
    with pytest.raises(
        DataError, match=r"at most 5% of train may lack.*'2 of 20: spk.*Raise data\.max"
    ):
        read(corpus)
    assert len(read(corpus, max_missing=0.1)) == 18
    assert "train: skipping utterances that have features but no labels (1): spk" in caplog.text
    assert "train: skipping utterances that have labels but no features (1): spk" in caplog.text


def test_utterances_of_mismatched_length_are_skipped_with_a_warning(tmp_path, caplog):
    features, labels = arrays(20)
    labels["spk0-utt003"] = labels["spk0-utt003"][:-1]
    for split in ("train", "dev"):
        write_split(tmp_path / split, features, labels)
    assert len(read(tmp_path)) == 19
    assert (
        "skipping utterances that have different numbers of features and labels (1)"
        in caplog.text
    )
    with pytest.raises(DataError, match="may have different numbers of features and labels"):
        read(tmp_path, max_missing=0.04)


def test_nothing_in_an_index_or_archive_is_run(corpus, tmp_path):
    target = tmp_path / "ran"
    index = corpus / "train" / "feats.scp"
    whole = index.read_text()
    for hostile in (f"touch {target} |", f"| touch {target}"):
        index.write_text(f"a {hostile}\n")
        with pytest.raises(UnsafeFileError, match="must name archives, not commands to run"):
            read(corpus)
    index.write_text(whole)
    archive = corpus / "train" / "feats.ark"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(target),)

    archive.write_bytes(b"spk0-utt000 PKL" + pickle.dumps(Payload()))
    with pytest.raises(UnsafeFileError, match="found 'a pickle'"):
        read(corpus)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"spk0-utt000 RIFFxxxx", b"spk0-utt000 \0BFM \4\5\0"])
def test_damaged_archive_is_refused(corpus, content):
    (corpus / "train" / "feats.ark").write_bytes(content)
    with pytest.raises(DataError, match=r"feats\.ark, byte 12: must be a"):
        read(corpus)


def test_source_key_depends_on_archives_and_limit(corpus):
    def key(**keys):
        return KaldiCorpus(KaldiConfig(root=str(corpus), **keys)).source_key()

    before = key()
    assert before == key(context=3)
    assert before != key(max_utterances=5)
    os.utime(corpus / "dev" / "feats.ark", ns=(1, 1))
    assert before != key()


def test_phones_are_named_by_a_file_and_the_limit_is_kept(corpus):
    (corpus / "phones.txt").write_text("".join(f"p{i} {i}\n" for i in range(6)))
    found = KaldiCorpus(KaldiConfig(root=str(corpus), phones="phones.txt", max_utterances=3))
    assert found.phone_set(6).names[5] == "p5"
    assert (found.num_utterances("train"), len(list(found.utterances("dev")))) == (3, 3)
    with pytest.raises(DataError, match=r"phones\.txt: must name all 7 classes.*found 6"):
        found.phone_set(7)
    assert KaldiCorpus(KaldiConfig(root=str(corpus))).phone_set(6).names[5] == "5"


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"train": "../up"}, ConfigError, r"data\.train: must be a relative path inside"),
        ({"dev": "none"}, DataError, r"none/feats\.scp: must exist\. data\.dev names its fold"),
        ({"features": "none.scp"}, DataError, r"train/none\.scp: must exist\. data\.train n"),
        ({"alignments": "none.txt"}, DataError, r"none\.txt: must exist\. Set data\.align"),
        ({"alignments": "none.scp"}, DataError, r"none\.scp: must exist\. Set data\.align"),
        ({"alignments": "ali.ark"}, DataError, r"ali\.ark: must be text.*use an \.scp"),
        ({"phones": "none.txt"}, DataError, r"data\.phones: must be an existing file"),
    ],
)
def test_missing_file_is_refused(corpus, keys, error, message):
    with pytest.raises(error, match=message):
        read(corpus, **keys)


def test_one_folder_as_two_splits_is_refused(corpus):
    (corpus / "link").symlink_to(corpus / "train")
    for dev in ("train", "./train/", "link"):
        with pytest.raises(
            DataError, match=r"data\.dev: must be another folder than data\.train"
        ):
            read(corpus, dev=dev)
    with pytest.raises(DataError, match=r"data\.test: must be another folder than data\.dev"):
        read(corpus, test="dev")


def test_missing_root_is_refused():
    with pytest.raises(ConfigError, match=r"data\.root: must name"):
        KaldiCorpus(KaldiConfig())
