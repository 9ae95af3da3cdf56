"""Folders of features and transcripts become utterances; missing files are refused by name."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framesweep.config import Hw1p2FoldersConfig
from framesweep.data.readers.hw1p2_folders import Hw1p2FoldersCorpus, read_transcript
from framesweep.errors import ConfigError, DataError

NAMES = {
    "train-clean-100": {"b": ["[SIL]", "AA"], "a": ["B", "B", "AA"], "19-198-0000": ["AA"]},
    "dev-clean": {"1272-128104-0000": ["AA", "CH"]},
    "test-clean": {"x": ["AA"], "z": ["B", "B"], "y": ["CH"]},
}
REAL = Path(__file__).parents[5] / "shared" / "corpora" / "speechocean_folders"


def save_transcript(path: Path, names: list[str], dtype: Any = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(names, dtype=dtype))


def save_utterance(folder: Path, stem: str, names: list[str], *, labelled: bool = True) -> None:
    (folder / "mfcc").mkdir(parents=True, exist_ok=True)
    np.save(folder / "mfcc" / f"{stem}.npy", np.full((len(names), 4), ord(stem[0]), "f4"))
    if labelled:
        path = folder / "transcript" / f"{stem}.npy"
        save_transcript(path, ["[SOS]", *names, "[EOS]"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for partition, utterances in NAMES.items():
        for stem, names in utterances.items():
            labelled = partition != "test-clean"
            save_utterance(tmp_path / partition, stem, names, labelled=labelled)
    return tmp_path


def corpus_of(root: Path, **settings: Any) -> Hw1p2FoldersCorpus:
    return Hw1p2FoldersCorpus(Hw1p2FoldersConfig(root=str(root), **settings))


def ids(corpus: Hw1p2FoldersCorpus, split: str) -> list[str]:
    return [u.id for u in corpus.utterances(split)]


def test_utterances_and_phones_are_sorted(root: Path) -> None:
    corpus = corpus_of(root, phone_order="alphabetical")
    assert corpus.splits() == ("train", "dev", "test")
    assert corpus.phone_set(4).names == ("AA", "B", "CH", "[SIL]")
    read = list(corpus.utterances("train"))
    assert [u.id for u in read] == ["19-198-0000", "a", "b"]
    assert [u.labels.tolist() for u in read if u.labels is not None] == [[0], [1, 1, 0], [3, 0]]
    assert [u.features.shape for u in read] == [(1, 4), (3, 4), (2, 4)]
    assert [u.features[0, 0] for u in read] == [ord("1"), ord("a"), ord("b")]


COURSE = (
    "[SIL] AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH "
    "UH UW V W Y Z ZH"
)
"""The list in the course's own notebooks, without its marks [SOS] and [EOS] at the end."""


def test_phones_are_numbered_as_the_course_numbers_them(root: Path) -> None:
    corpus = corpus_of(root)
    assert corpus.phone_set(4).names == tuple(COURSE.split())
    read = [u.labels.tolist() for u in corpus.utterances("train") if u.labels is not None]
    assert read == [[1], [7, 7, 1], [0, 1]]


def test_phone_that_occurs_in_test_only_is_known_to_the_course(root: Path) -> None:
    test = root / "test-clean"
    for stem in NAMES["test-clean"]:
        save_utterance(test, stem, ["ZH", "[SIL]"])
    assert [u.labels.tolist() for u in corpus_of(root).utterances("test")] == [[39, 0]] * 3


def test_silence_is_spelled_as_in_the_transcripts(root: Path) -> None:
    save_utterance(root / "train-clean-100", "b", ["SIL", "AA"])
    assert corpus_of(root).phone_set(4).names == ("SIL", *COURSE.split()[1:])


def test_phones_that_the_course_does_not_have_are_numbered_alphabetically(root: Path) -> None:
    save_utterance(root / "dev-clean", "1272-128104-0000", ["AA", "AX"])
    assert corpus_of(root).phone_set(4).names == ("AA", "AX", "B", "[SIL]")


def test_a_changed_numbering_is_prepared_anew_and_an_earlier_cache_stays_in_use(
    root: Path,
) -> None:
    alphabetical = corpus_of(root, phone_order="alphabetical").source_key()
    assert alphabetical.keys() == {"files", "max_utterances"}, "the key of version 0.1"
    assert corpus_of(root).source_key() == {**alphabetical, "phone_order": "course"}
    (root / "phonemes.txt").write_text("[SIL] 0\nCH 1\nB 2\nAA 3\nZ 4\n")
    assert corpus_of(root).source_key().keys() == {"files", "max_utterances"}


def test_speaker_is_known_only_from_librispeech_names(root: Path) -> None:
    save_utterance(root / "train-clean-100", "0026-000260075", ["AA"])
    speakers = {u.id: u.speaker for u in corpus_of(root).utterances("train")}
    assert speakers == {"0026-000260075": "", "19-198-0000": "19", "a": "", "b": ""}


def test_test_partition_may_lack_transcripts_or_be_absent(root: Path) -> None:
    test = root / "test-clean"
    assert all(u.labels is None for u in corpus_of(root).utterances("test"))
    (test / "transcript").mkdir()
    (test / "transcript" / "random_submission.csv").write_text("index,label\n0,AA\n")
    assert all(u.labels is None for u in corpus_of(root).utterances("test"))
    for stem, names in NAMES["test-clean"].items():
        save_utterance(test, stem, names)
    read = [
        u.labels.tolist() for u in corpus_of(root).utterances("test") if u.labels is not None
    ]
    assert read == [[1], [8], [7, 7]]
    test.rename(root / "eval")
    assert corpus_of(root).splits() == ("train", "dev")
    assert corpus_of(root, test_partition="eval").splits() == ("train", "dev", "test")


def test_test_partition_of_another_name_must_exist(root: Path) -> None:
    message = r"^data\.test_partition: must be .*; found 'test-claen'\. .* train-clean-100\.$"
    with pytest.raises(DataError, match=message):
        corpus_of(root, test_partition="test-claen")


@pytest.mark.parametrize(
    "order",
    [
        "file\nz.npy\nx.npy\ny.npy\n",
        "\ufeffindex,file\r\n0,z.npy\r\n1, x.npy\r\n\r\n2,y.npy",
        "names\nz\nx\ny\n",
    ],
)
def test_order_file_changes_the_order_of_test_only(root: Path, order: str) -> None:
    (root / "test_order.csv").write_text(order, newline="")
    assert ids(corpus_of(root), "test") == ["z", "x", "y"]
    assert ids(corpus_of(root, max_utterances=2), "test") == ["z", "x"]
    assert ids(corpus_of(root), "train") == ["19-198-0000", "a", "b"]


@pytest.mark.parametrize(
    ("order", "rule"),
    [
        ("file\nz.npy\nx.npy\nnone.npy\n", "must list files of the test partition only"),
        ("file\nz.npy\nx.npy\n../mfcc/y.npy\n", "must list files of the test partition only"),
        ("file\nz.npy\nx.npy\n/etc/passwd\n", "must list files of the test partition only"),
        ("file,n\nz.npy,1\nx.npy\n\n,1\n", "must list files of the test partition only"),
        (
            "file\nz.npy\nx.npy\n",
            "must list every file of the test partition; found '1 missing: y.npy'",
        ),
        ("file\nz.npy\nx.npy\ny.npy\ny.npy\n", "must list each file once"),
        ("a,b\nz.npy,1\n", "must have a column `file`"),
        ("", "must have a column `file`|must list every file of the test"),
        ("file\n\0\n", "must be a readable CSV file|must list files"),
    ],
)
def test_malformed_order_file_is_refused(root: Path, order: str, rule: str) -> None:
    (root / "test_order.csv").write_text(order)
    with pytest.raises(DataError, match=rule) as raised:
        corpus_of(root)
    assert "test_order.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_order_file_of_another_name_must_exist(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"data\.test_order: must be an existing file in data\.root"
    ):
        corpus_of(root, test_order="order.csv")
    (root / "order.csv").write_text("file\nz.npy\nx.npy\ny.npy\n")
    assert ids(corpus_of(root, test_order="order.csv"), "test") == ["z", "x", "y"]


def test_labels_are_numbered_by_the_phone_file(root: Path) -> None:
    (root / "phonemes.txt").write_text("[SIL] 0\nCH 1\nB 2\nAA 3\nZ 4\n")
    corpus = corpus_of(root)
    read = [u.labels.tolist() for u in corpus.utterances("train") if u.labels is not None]
    assert read == [[3], [2, 2, 3], [0, 3]]
    assert len(corpus.phone_set(4)) == 5


def test_phone_that_is_not_listed_is_refused_with_its_file(root: Path) -> None:
    (root / "phonemes.txt").write_text("[SIL] 0\nCH 1\nAA 2\n")
    with pytest.raises(
        DataError, match=r"transcript/a\.npy: all phones must occur in .*found 'B'"
    ):
        list(corpus_of(root).utterances("train"))


def test_limit_does_not_change_the_phones(root: Path) -> None:
    corpus = corpus_of(root, max_utterances=1, phone_order="alphabetical")
    assert [corpus.num_utterances(split) for split in corpus.splits()] == [1, 1, 1]
    assert corpus.phone_set(2).names == ("AA", "B", "CH", "[SIL]")


def test_source_key_depends_on_files_and_limit(root: Path) -> None:
    key = corpus_of(root).source_key()
    assert len(key["files"]) == 2 * 3 + 2 * 1 + 3
    assert corpus_of(root).source_key() == key
    assert corpus_of(root, max_utterances=1).source_key() != key
    (root / "test_order.csv").write_text("file\nz.npy\nx.npy\ny.npy\n")
    assert corpus_of(root).source_key() != key


@pytest.mark.parametrize(
    ("framed", "names"),
    [
        (["[SOS]", "AA", "B", "[EOS]"], ["AA", "B"]),
        (["<sos>", "AA", "<eos>"], ["AA"]),
        (["AA", "B"], ["AA", "B"]),
        (["[SOS]", "[EOS]"], []),
        (["[SOS]"], []),
    ],
)
@pytest.mark.parametrize("dtype", [None, object, "S5", ">U5"])
def test_sentence_marks_are_removed_from_a_transcript(
    tmp_path: Path, framed: list[str], names: list[str], dtype: Any
) -> None:
    save_transcript(tmp_path / "a.npy", framed, dtype)
    assert read_transcript(tmp_path / "a.npy") == names


def test_empty_transcript_has_no_names(tmp_path: Path) -> None:
    save_transcript(tmp_path / "a.npy", [], "<U5")
    assert read_transcript(tmp_path / "a.npy") == []


@pytest.mark.parametrize("content", [[1, 2], [["AA"], ["B"]], 3.5, "AA", [1.5, None]])
def test_transcript_with_anything_but_names_is_refused(tmp_path: Path, content: Any) -> None:
    np.save(tmp_path / "a.npy", np.array(content))
    with pytest.raises(DataError, match="must contain a list of phone names"):
        read_transcript(tmp_path / "a.npy")


class TestBadInput:
    @pytest.mark.parametrize("split", ["train", "dev"])
    def test_missing_partition_is_refused(self, root: Path, split: str) -> None:
        with pytest.raises(DataError, match="none/mfcc: must be a folder"):
            corpus_of(root, **{f"{split}_partition": "none"})

    @pytest.mark.parametrize("split", ["dev", "test"])
    def test_partition_of_train_is_refused_for_others(self, root: Path, split: str) -> None:
        message = rf"^data\.{split}_partition: must be another folder than data\.train_par"
        with pytest.raises(ConfigError, match=message):
            corpus_of(root, **{f"{split}_partition": "./train-clean-100/"})

    @pytest.mark.parametrize("split", ["train", "dev", "test"])
    def test_partition_outside_the_root_is_refused(self, root: Path, split: str) -> None:
        with pytest.raises(
            ConfigError, match=rf"data\.{split}_partition: must be a relative path inside"
        ):
            corpus_of(root, **{f"{split}_partition": "../dev-clean"})

    def test_train_without_transcripts_is_refused(self, root: Path) -> None:
        for path in (root / "train-clean-100" / "transcript").iterdir():
            path.unlink()
        (root / "train-clean-100" / "transcript").rmdir()
        with pytest.raises(DataError, match="transcript: must be a folder"):
            corpus_of(root)

    @pytest.mark.parametrize("lacking", ["mfcc", "transcript"])
    def test_features_or_transcript_missing_for_an_utterance_is_refused(
        self, root: Path, lacking: str
    ) -> None:
        (root / "train-clean-100" / lacking / "b.npy").unlink()
        with pytest.raises(
            DataError,
            match=rf"{lacking}: must contain a file .*such as b\.npy; found '1 missing'",
        ):
            corpus_of(root)

    def test_hidden_files_of_macos_are_ignored(self, root: Path) -> None:
        (root / "train-clean-100" / "mfcc" / "._a.npy").write_bytes(b"finder")
        assert ids(corpus_of(root), "train") == ["19-198-0000", "a", "b"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the corpus is not on this machine")
def test_real_corpus_has_a_label_for_every_frame() -> None:
    corpus = corpus_of(REAL)
    assert [corpus.num_utterances(split) for split in corpus.splits()] == [80, 20, 20]
    for split in ("train", "dev"):
        for u in corpus.utterances(split):
            assert u.labels is not None
            assert u.features.shape == (len(u.labels), 28)
    assert "[SOS]" not in corpus.phone_set(39)
    listed = (REAL / "test_order.csv").read_text().split()[1:]
    assert [f"{name}.npy" for name in ids(corpus, "test")] == listed


def test_file_names_in_two_unicode_forms_are_one_utterance(root: Path) -> None:
    (features,) = (root / "dev-clean" / "mfcc").iterdir()
    features.rename(features.with_name("e\u0301.npy"))
    transcript = root / "dev-clean" / "transcript" / features.name
    transcript.rename(transcript.with_name("\u00e9.npy"))
    (utterance,) = corpus_of(root).utterances("dev")
    assert utterance.labels is not None
    (root / "dev-clean" / "mfcc" / "\u00e9.npy").write_bytes(b"")
    with pytest.raises(DataError, match="another file in another Unicode form"):
        corpus_of(root)


def test_zip_file_as_downloaded_gives_what_its_folder_gives(root: Path, tmp_path: Path) -> None:
    (root / "train-clean-100" / "mfcc" / "index.csv").write_text("a,b")
    (root / "train-clean-100" / ".DS_Store").touch()
    (root / "test_order.csv").write_text("file\nz.npy\nx.npy\ny.npy\n")
    archive = tmp_path.parent / f"{tmp_path.name}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in root.rglob("*"):
            file.write(path, Path("11785-f24-hw1p2") / path.relative_to(root))
    folders, zipped = corpus_of(root), corpus_of(archive)
    assert zipped.splits() == folders.splits() == ("train", "dev", "test")
    for split in zipped.splits():
        for ours, theirs in zip(
            zipped.utterances(split), folders.utterances(split), strict=True
        ):
            assert (ours.id, ours.speaker) == (theirs.id, theirs.speaker)
            np.testing.assert_array_equal(ours.features, theirs.features)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
    assert ids(zipped, "test") == ["z", "x", "y"]
    assert zipped.phone_set(0) == folders.phone_set(0)
    assert len(zipped.source_key()["files"]) == len(folders.source_key()["files"])


def test_partitions_of_other_names_are_named(root: Path) -> None:
    (root / "train-clean-100").rename(root / "train-clean-360")
    with pytest.raises(DataError, match=r"There are dev-clean, test-clean, train-clean-360"):
        corpus_of(root)
