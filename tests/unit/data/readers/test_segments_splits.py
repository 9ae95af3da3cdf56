"""Utterances are split by folder, list or share, and splits are disjoint."""

import pytest

from framesweep.config import SegmentsConfig
from framesweep.data.readers.segments_splits import assign_evenly, list_splits
from framesweep.errors import ConfigError, DataError


@pytest.fixture
def corpus(tmp_path):
    """A small copy of TIMIT's folders: 2 x 4 speakers with 3 sentences each."""
    for part in ("TRAIN", "TEST"):
        for speaker in ("FAKS0", "MDAB0", "MWBT0", "FELC0"):
            for sentence in ("SA1", "SI2", "SX3"):
                name = speaker if part == "TEST" else speaker.replace("0", "1")
                folder = tmp_path / part / "DR1" / name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{sentence}.WAV").touch()
                (folder / f"{sentence}.PHN").touch()
    return tmp_path


def splits(root, **keys):
    found = list_splits(SegmentsConfig(root=str(root), **keys))
    return {name: [files.id for files in utterances] for name, utterances in found.items()}


SPEAKER = r"/([FM]\w+)/\w+$"


def test_folders_match_in_upper_or_lower_case(corpus):
    found = splits(corpus, train="train", dev="test", test=None)
    assert (len(found["train"]), len(found["dev"])) == (12, 12)
    assert found["train"][0] == "TRAIN/DR1/FAKS1/SA1"
    assert found["train"] == sorted(found["train"])


def test_timit_is_split_by_its_lists_of_speakers(corpus):
    config = SegmentsConfig(
        root=str(corpus),
        dev="TEST",
        exclude=r"(?i)/sa[12]\.",
        speaker=SPEAKER,
        dev_speakers=["faks0"],
        test_speakers=["mdab0", "mwbt0"],
    )
    found = list_splits(config)
    assert {name: len(utterances) for name, utterances in found.items()} == {
        "train": 8,
        "dev": 2,
        "test": 4,
    }
    assert {files.speaker for files in found["test"]} == {"MDAB0", "MWBT0"}
    assert all(files.segments == files.audio.with_suffix(".PHN") for files in found["train"])


def test_dev_without_a_folder_takes_whole_speakers_of_train(corpus):
    found = splits(corpus, dev=None, speaker=SPEAKER, dev_share=0.25)
    assert len(found["dev"]) == 3
    assert len({id.rsplit("/", 1)[0] for id in found["dev"]}) == 1
    assert not set(found["dev"]) & set(found["train"])


def test_splits_by_speaker_are_speaker_disjoint(corpus):
    found = list_splits(
        SegmentsConfig(root=str(corpus), split="speakers", speaker=SPEAKER, dev_share=0.25)
    )
    speakers = [{files.speaker for files in found[name]} for name in found]
    assert list(found) == ["train", "dev", "test"]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 8
    assert len(speakers[1]) == 2


def test_split_of_a_speaker_does_not_depend_on_the_files(corpus):
    before = splits(corpus, split="speakers", speaker=SPEAKER)["dev"]
    (corpus / "TRAIN" / "DR1" / "FAKS1" / "AA0.WAV").touch()
    after = splits(corpus, split="speakers", speaker=SPEAKER)["dev"]
    assert {id.split("/")[2] for id in before} == {id.split("/")[2] for id in after}


def test_speaker_in_two_splits_is_refused(corpus):
    with pytest.raises(DataError, match=r"data\.dev: must not share 'SI2' with train"):
        splits(corpus, dev="TEST", test=None, speaker=r"\w+$", exclude="SA|SX")


def test_dev_and_test_are_spread_evenly(tmp_path):
    for i in range(1, 41):
        (tmp_path / f"u{i:02}.wav").touch()
    found = splits(tmp_path, split="utterances")
    assert found["dev"] == ["u09", "u19", "u29", "u39"]
    assert found["test"] == ["u10", "u20", "u30", "u40"]
    assert len(found["train"]) == 32
    found = splits(tmp_path, split="utterances", test_share=0.0, dev_share=0.05)
    assert found["dev"] == ["u20", "u40"]
    assert "test" not in found


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.1, 0.12), (0.2, 0.3), (0.4, 0.5)])
def test_each_split_gets_its_share_even_where_both_are_due(shares):
    splits = assign_evenly(1000, *shares)
    assert [splits.count("dev"), splits.count("test")] == [1000 * share for share in shares]


def test_dev_gets_the_next_utterance_where_test_is_due_as_well():
    splits = assign_evenly(10, 0.2, 0.3)
    assert [i for i, split in enumerate(splits) if split == "test"] == [3, 6, 9]
    assert [i for i, split in enumerate(splits) if split == "dev"] == [4, 8]


def test_lists_may_name_utterances_and_folders(corpus):
    (corpus / "train.txt").write_text("TRAIN/DR1/FAKS1/  # a folder\nTRAIN/DR1/MDAB1/SI2.WAV\n")
    (corpus / "dev.txt").write_text("\ufeff./TEST/DR1/FELC0/SX3.WAV\n")  # as find prints it
    keys = {"split": "lists", "train": "train.txt", "dev": "dev.txt", "test": None}
    found = splits(corpus, **keys)
    assert [id[-9:] for id in found["train"]] == [
        "FAKS1/SA1",
        "FAKS1/SI2",
        "FAKS1/SX3",
        "MDAB1/SI2",
    ]
    assert found["dev"] == ["TEST/DR1/FELC0/SX3"]
    (corpus / "dev.txt").write_text("TRAIN/DR1/FAKS1/SA1\n")
    with pytest.raises(DataError, match="must not share 'TRAIN/DR1/FAKS1/SA1' with train"):
        splits(corpus, **keys)
    (corpus / "dev.txt").write_text("TRAIN/DR9\n")
    with pytest.raises(
        DataError, match=r"dev\.txt: must list utterances.*, such as '.*/.*'; found 'TRAIN/DR9'"
    ):
        splits(corpus, **keys)


def test_utterance_outside_all_splits_needs_no_speaker(corpus):
    touched = corpus / "sphere" / "sample.wav"
    touched.parent.mkdir()
    touched.touch()
    assert len(splits(corpus, dev=None, test=None, speaker=SPEAKER)["train"]) == 9
    with pytest.raises(DataError, match=r"in 'sphere/sample'; found .*data\.exclude"):
        splits(corpus, split="speakers", speaker=SPEAKER)


def test_dot_means_all_utterances(corpus):
    found = splits(corpus, train=".", dev=None, test=None, dev_share=0.25)
    assert len(found["train"] + found["dev"]) == 24


def test_test_split_may_be_missing_unless_it_was_asked_for(tmp_path):
    for name in ("train/a.wav", "dev/b.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert list(splits(tmp_path)) == ["train", "dev"]
    with pytest.raises(DataError, match=r"data\.test: .*found 'tset'. data\.test=null"):
        splits(tmp_path, test="tset")
    with pytest.raises(DataError, match=r"data\.test: must be a folder with audio files"):
        splits(tmp_path, speaker=r"\w+$", test_speakers=["x"])


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"root": None}, ConfigError, "data.root: must name"),
        (
            {"dev": None, "speaker": "zzz"},
            DataError,
            "data.speaker: must find a speaker in 'TRAIN",
        ),
        (
            {"train": "none"},
            DataError,
            "must be a folder with audio files in .*split=utterances needs no",
        ),
        ({"dev_speakers": ["a"]}, ConfigError, "must be set together with data.dev_speakers"),
        (
            {"dev": "TEST", "test": "TEST", "speaker": SPEAKER, "test_speakers": ["zzz0"]},
            DataError,
            r"test_speakers: must be speakers in data.test, such as '\w+'; found zzz0",
        ),
        ({"dev": "none"}, DataError, "data.dev=null takes a share"),
        (
            {"split": "speakers"},
            ConfigError,
            "data.speaker: must be set for data.split=speakers",
        ),
        ({"split": "utterances", "dev_share": 1.5}, ConfigError, "below 1; found 1.5"),
        (
            {"split": "utterances", "dev_share": 0.001},
            DataError,
            "dev must contain at least one utterance",
        ),
        ({"split": "lists"}, DataError, r"must be a readable list of utterances \(No such"),
        ({"split": "lists", "train": "TRAIN"}, DataError, r"readable list .*\(Is a dir"),
    ],
)
def test_invalid_key_is_refused(corpus, keys, error, message):
    with pytest.raises(error, match=message):
        list_splits(SegmentsConfig(**{"root": str(corpus), **keys}))


def test_a_sign_of_comments_may_be_part_of_a_name(tmp_path):
    for name in ("a", "a#2", "b", "c#1/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".wav", ".lab"):
            (tmp_path / f"{name}{suffix}").touch()
    (tmp_path / "train.txt").write_text("# utterances\na#2\nc#1/ # a folder\n\n")
    (tmp_path / "dev.txt").write_text("b.wav# as in version 0.1\n")
    keys = {"split": "lists", "train": "train.txt", "dev": "dev.txt", "test": None}
    with pytest.raises(
        DataError, match=r"must list utterances in data\.audio, such as 'a'; found 'b\.wav# as"
    ):
        splits(tmp_path, **keys)
    (tmp_path / "dev.txt").write_text("b.wav\t# another\n")
    assert splits(tmp_path, **keys) == {"train": ["a#2", "c#1/x"], "dev": ["b"]}


@pytest.mark.parametrize("suffix", [".wav", ".PHN", ".TextGrid", ".npy", ".pt"])
def test_a_list_may_name_the_files_of_an_utterance(corpus, suffix):
    (corpus / "train.txt").write_text(f"TRAIN/DR1/FAKS1/SA1{suffix}\n")
    (corpus / "dev.txt").write_text("TEST\n")
    keys = {"split": "lists", "train": "train.txt", "dev": "dev.txt", "test": None}
    assert splits(corpus, **keys)["train"] == ["TRAIN/DR1/FAKS1/SA1"]
    (corpus / "train.txt").write_text("TRAIN/DR1/FAKS1/SA1.2\n")
    with pytest.raises(DataError, match=r"train\.txt: must list .*; found 'TRAIN.*SA1\.2'"):
        splits(corpus, **keys)


def test_a_folder_in_a_list_may_look_like_a_file(tmp_path):
    for name in ("a.lab/x.wav", "a.lab/x.lab", "b.wav", "b.lab"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "train.txt").write_text("a.lab\n")
    (tmp_path / "dev.txt").write_text("b.lab\n")
    keys = {"split": "lists", "train": "train.txt", "dev": "dev.txt", "test": None}
    assert splits(tmp_path, **keys) == {"train": ["a.lab/x"], "dev": ["b"]}


def test_a_list_in_another_encoding_is_refused_with_the_fix(corpus):
    (corpus / "train.txt").write_text("TRAIN\n", encoding="utf-16")
    message = r"train\.txt: must be a list of utterances in UTF-8\. Save it as UTF-8\.$"
    with pytest.raises(DataError, match=message):
        splits(corpus, split="lists", train="train.txt")


def test_an_empty_split_says_what_there_is_to_divide(corpus):
    message = (
        r"train must .*; found '24 utterances; speakers: 1'\. data\.split=utterances divides"
    )
    with pytest.raises(DataError, match=message):
        splits(corpus, split="speakers", speaker="^(T)")
    (corpus / "empty.txt").touch()
    (corpus / "all.txt").write_text("TRAIN\nTEST\n")
    keys = {"split": "lists", "train": "all.txt", "dev": "empty.txt", "test": None}
    with pytest.raises(DataError, match=r"dev must .*; found '24 utterances'$"):
        splits(corpus, speaker=SPEAKER, **keys)
    message = r"dev must .*; found '24 utterances'\. Raise data\.dev_share, which is 0\.01\."
    with pytest.raises(DataError, match=message):
        splits(corpus, split="utterances", dev_share=0.01)


def test_utterances_without_a_speaker_are_named_before_missing_speakers(corpus):
    with pytest.raises(DataError, match=r"data\.speaker: must find a speaker in 'TEST/"):
        splits(corpus, dev="TEST", speaker="zzz", dev_speakers=["x"])
