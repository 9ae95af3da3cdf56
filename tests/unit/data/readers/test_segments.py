"""Audio and segments become labelled frames, in parallel and after interruptions."""

import json
import unicodedata
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from framesweep.config import SegmentsConfig
from framesweep.data.readers import segments
from framesweep.data.readers.segments import SegmentsCorpus
from framesweep.data.store.prepared import prepare
from framesweep.errors import ConfigError, DataError

PHONES = ("h#", "aa", "t", "iy")


def make_utterance(folder, name, rate=16_000, seconds=1.0, suffix=".wav", seed=0):
    """A tone whose pitch is the phone's: 0.2 s of h#, then aa, t, iy, h# to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = [0, 0.2, 0.45, 0.5, 0.8, seconds]
    names = ["h#", "aa", "t", "iy", "h#"]
    times = np.arange(int(rate * seconds)) / rate
    pitch = {"h#": 0, "aa": 300, "t": 3000, "iy": 1000}
    samples = np.random.default_rng(seed).normal(scale=0.001, size=len(times))
    lines = []
    for phone, start, end in zip(names, bounds[:-1], bounds[1:], strict=True):
        inside = (times >= start) & (times < end)
        samples[inside] += 0.3 * np.sin(2 * np.pi * pitch[phone] * times[inside])
        lines.append(f"{round(start * rate)} {round(end * rate)} {phone}\n")
    soundfile.write(folder / f"{name}{suffix}", samples, rate)
    (folder / f"{name}.phn").write_text("".join(lines))


@pytest.fixture
def root(tmp_path):
    for split in ("train", "dev"):
        for name in ("b", "a"):
            make_utterance(tmp_path / split, name, seed=len(split))
    return tmp_path


def config(root, **keys):
    return SegmentsConfig(root=str(root), **{"workers": 1, **keys})


def read(root, part="train", **keys):
    return list(SegmentsCorpus(config(root, **keys)).utterances(part))


def test_frame_is_labelled_by_the_center_of_its_window(root):
    first, second = read(root)
    assert (first.id, second.id) == ("train/a", "train/b")
    phones = SegmentsCorpus(config(root)).phone_set(0)
    assert phones.names == ("aa", "h#", "iy", "t")
    # The center of frame n is at 12.5 ms + n * 10 ms, so 19 centers are before 0.2 s.
    names = [phones.names[label] for label in first.labels]
    assert names == ["h#"] * 19 + ["aa"] * 25 + ["t"] * 5 + ["iy"] * 30 + ["h#"] * 19
    assert first.features.shape == (98, 40)
    assert first.features.dtype == np.float32


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_labels_do_not_depend_on_the_sample_rate(tmp_path, rate):
    for split in ("train", "dev"):
        make_utterance(tmp_path / split, "a", rate=rate)
    (utterance,) = read(tmp_path)
    changes = np.flatnonzero(np.diff(utterance.labels)) + 1
    assert changes.tolist() == [19, 44, 49, 79]


@pytest.mark.parametrize(
    ("keys", "dim"),
    [
        ({"num_mel_bins": 23}, 23),
        ({"features": "mfcc"}, 13),
        ({"features": "mfcc", "num_ceps": 20, "deltas": 2}, 60),
        ({"use_energy": True, "deltas": 1}, 82),
        ({"shift_ms": 20.0, "window_ms": 32.0, "window_type": "hamming"}, 40),
    ],
)
def test_features_follow_the_config(root, keys, dim):
    utterance = read(root, **keys)[0]
    assert utterance.features.shape[1] == dim
    assert len(utterance.labels) == len(utterance.features)
    assert np.isfinite(utterance.features).all()
    if "shift_ms" in keys:
        assert len(utterance.labels) == 49


def test_workers_compute_what_one_process_computes(tmp_path):
    for number in range(70):
        make_utterance(tmp_path / "train", f"u{number:02}", seed=number, seconds=0.9)
    make_utterance(tmp_path / "dev", "a")
    alone, together = read(tmp_path, workers=1), read(tmp_path, workers=2)
    assert len(alone) == 70
    for one, other in zip(alone, together, strict=True):
        assert one.id == other.id
        assert np.array_equal(one.features, other.features)
        assert np.array_equal(one.labels, other.labels)


def test_interrupted_preparation_continues_with_what_is_missing(tmp_path, monkeypatch):
    root, cache = tmp_path / "corpus", tmp_path / "cache"
    for number in range(40):
        make_utterance(root / "train", f"u{number:02}")
    make_utterance(root / "dev", "a")
    analysed = []

    def analyse(files, **keys):
        analysed.append(files.id)
        if analysed[40:] == ["dev/a"]:
            raise DataError(files.audio, "must be complete")
        return real(files, **keys)

    real = segments.analyse
    monkeypatch.setattr(segments, "analyse", analyse)
    with pytest.raises(DataError, match="must be complete"):
        prepare(SegmentsCorpus(config(root)), cache)
    assert [path.suffix for path in cache.iterdir()] == [".parts"]
    prepared = prepare(SegmentsCorpus(config(root)), cache)
    assert analysed[41:] == ["dev/a"]
    assert len(prepared.splits["train"].ids) == 40
    assert [path.name for path in cache.iterdir()] == [prepared.folder.name]


def test_speakers_folding_and_limit(root):
    utterances = read(root, speaker=r"(\w)$", split="speakers", fold="39", test_share=0.0)
    assert len({utterance.speaker for utterance in utterances}) == 1
    corpus = SegmentsCorpus(config(root, fold="39", max_utterances=1))
    assert corpus.num_utterances("train") == 1
    assert "sil" in corpus.phone_set(0)


def test_source_key_depends_on_files_and_settings_but_not_on_workers(root):
    def key(**keys):
        return SegmentsCorpus(config(root, **keys)).source_key()

    before = key()
    assert before == key(workers=2) == key(context=3, normalize="global")
    assert before != key(num_mel_bins=41)
    assert before != key(max_utterances=1)
    make_utterance(root / "train", "a", seed=9, seconds=0.95)
    assert before != key()


def test_source_key_says_how_labels_per_frame_are_paired(tmp_path):
    for folder in ("train", "dev", "labels/train", "labels/dev"):
        (tmp_path / folder).mkdir(parents=True)
        np.save(tmp_path / folder / "a.npy", np.zeros(8, dtype=np.int64))
    keys = {"features": "npy", "format": "frames", "audio": "[td]*", "segments": "labels/*"}

    def settings(**rule):
        return SegmentsCorpus(config(tmp_path, **keys, **rule)).source_key()["settings"]

    assert settings()["pairing"] == "nearest center"
    assert "pairing" not in settings(match_length="pad")


def test_few_audio_files_without_segments_are_skipped_with_a_warning(tmp_path, caplog):
    for number in range(20):
        make_utterance(tmp_path / "train", f"u{number:02}")
    make_utterance(tmp_path / "dev", "a")
    (tmp_path / "train" / "u07.phn").unlink()
    assert "train/u07" not in [u.id for u in read(tmp_path)]
    warning = "train: skipping 1 of 20 audio files without segments: train/u07"
    assert warning in caplog.text
    (tmp_path / "train" / "u08.phn").unlink()
    rule = (
        r"at most 5% of the audio files in train may lack segments; found '2 of 20: train/u07.*"
        r"Or raise data\.max_missing, or leave them out with data\.exclude\.$"
    )
    with pytest.raises(DataError, match=rule):
        read(tmp_path)
    assert len(read(tmp_path, max_missing=0.1)) == 18


def test_test_split_may_lack_all_segments(root):
    make_utterance(root / "test", "a")
    (root / "test" / "a.phn").unlink()
    (utterance,) = read(root, "test")
    assert utterance.labels is None


def test_phones_are_numbered_by_a_file(root, tmp_path):
    phones = tmp_path / "phones.txt"
    phones.write_text("\n".join(PHONES))
    corpus = SegmentsCorpus(config(root, phones=str(phones)))
    assert corpus.phone_set(0).names == PHONES
    labels = next(iter(corpus.utterances("train"))).labels
    assert labels is not None
    assert labels[0] == 0
    phones.write_text("h#\naa\n")
    with pytest.raises(DataError, match=r"must list every phone.*found iy, t"):
        read(root, phones=str(phones))


def test_segments_that_outlast_the_audio_are_refused_and_found(root):
    (root / "train" / "a.phn").write_text("0 20000 aa\n")
    with pytest.raises(DataError, match=r"a\.phn: must end with its audio, at 1\.000 s"):
        read(root)
    assert SegmentsCorpus(config(root)).find_problems() == [
        "train train/a: segments end at 1.25 s, the audio at 1.00 s "
        "(.phn counts samples of a.wav, at 16000 Hz)"
    ]
    (root / "train" / "a.phn").write_text("0 4000 aa\n15000 16000 t\n")
    assert "segments cover 0.31 s of 1.00 s" in SegmentsCorpus(config(root)).find_problems()[0]
    assert "h#" in SegmentsCorpus(config(root)).phone_set(0)


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        ({}, ".phn counts samples of a.wav, at 22050 Hz."),
        ({"format": "seconds"}, "is all of it labelled?"),
    ],
)
def test_segments_that_end_long_before_the_audio_raise_doubts(root, caplog, keys, question):
    for path in root.rglob("*.wav"):
        soundfile.write(path, np.zeros(22_050), 22_050)
        if keys:
            path.with_suffix(".phn").write_text("0 0.3 aa\n0.3 0.72562 t\n")
    found = SegmentsCorpus(config(root, **keys))
    list(found.utterances("train"))
    assert caplog.messages == [
        "train: the segments of 2 of 2 utterances end before the last 20% of their audio: "
        + question
    ]
    note = "" if keys else " (.phn counts samples of a.wav, at 22050 Hz)"
    problem = f"train train/a: segments end at 0.73 s, the audio at 1.00 s{note}"
    assert problem in found.find_problems()


def test_one_utterance_that_is_labelled_in_part_raises_no_doubts(root, caplog):
    (root / "train" / "a.phn").write_text("0 4000 aa\n")
    read(root)
    assert caplog.messages == []


def test_cut_off_audio_is_named_where_segments_pass_its_end_and_where_they_fit(root, caplog):
    path = root / "train" / "a.wav"
    path.write_bytes(path.read_bytes()[: 44 + 2 * 12_800])
    cut = "its header promises 1.000 s, the file has 0.800 s"
    with pytest.raises(
        DataError, match=rf"0\.800 s; found '1\.000 s'\. .*a\.wav is cut .*{cut}"
    ):
        read(root)
    (root / "train" / "a.phn").write_text("0 3200 h#\n3200 12800 aa\n")
    assert [len(utterance.features) for utterance in read(root)] == [78, 98]
    assert caplog.messages == [
        f"train: audio files that are cut off are read up to there (1, such as {path}: {cut})"
    ]
    assert SegmentsCorpus(config(root)).find_problems() == [
        f"train train/a: the audio is cut off: {cut}"
    ]


GRID = """File type = "ooTextFile"
Object class = "TextGrid"
0 {end} <exists> 1 "IntervalTier" "phones" 0 {end} 1 0 {end} "aa"
"""


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("a.phn", "0 20000 aa\n", r"\.phn counts samples of a\.wav, at 16000 Hz\."),
        ("a.lab", "0.0 1.25 aa\n", r"If the times are in another unit, set data\.format\."),
        (
            "a.TextGrid",
            GRID.format(end=1.25),
            r"Its times must be in seconds, from the start of a\.wav, where xmin must be 0\.",
        ),
        (
            "a.TextGrid",
            GRID.format(end=0.001),
            r"Its times must be in seconds, from the start of a\.wav, where xmin must be 0\.",
        ),
        ("a.csv", "start_s,end_s,phone\n0,8,t\n", r"in seconds, from the start of a\.wav\."),
    ],
)
def test_segments_that_do_not_fit_say_what_their_times_count(root, name, text, fix):
    (root / "train" / "a.phn").unlink()
    (root / "train" / name).write_text(text)
    keys: dict[str, Any] = {"format": "csv", "max_missing": 1.0} if ".csv" in name else {}
    with pytest.raises(DataError, match=rf"{name}: must .* s'\. .*{fix}$"):
        read(root, **keys)


def test_times_in_another_unit_are_refused(root):
    (root / "train" / "a.phn").unlink()
    (root / "train" / "a.lab").write_text("0 4000 aa\n4000 16000 t\n")
    with pytest.raises(
        DataError, match=r"a\.lab: must extend beyond .*; found '0\.001600 s'.*"
    ):
        read(root)
    (root / "train" / "a.lab").write_text("0 0.25 aa\n0.25 1.0 t\n")
    assert len(read(root)) == 2


def test_more_phones_than_allowed_are_refused_with_an_example(root, monkeypatch):
    monkeypatch.setattr(segments, "MAX_CLASSES", 3)
    with pytest.raises(DataError, match=r"at most 3 phones; found 'h#'. Check data\.tier"):
        read(root)


@pytest.mark.parametrize("keys", [{"max_missing": 1.1}, {"workers": 0}, {"sample_rate": 0}])
def test_option_out_of_range_is_refused(root, keys):
    (key,) = keys
    with pytest.raises(ConfigError, match=rf"data\.{key}: must be .*found {keys[key]}"):
        SegmentsCorpus(config(root, **keys))


def test_invalid_features_and_too_short_audio_are_refused(root):
    with pytest.raises(ConfigError, match=r"data\.deltas: must be between 0 and 2; found 3"):
        SegmentsCorpus(config(root, deltas=3))
    make_utterance(root / "train", "a", seconds=0.81)
    soundfile.write(root / "train" / "a.wav", np.zeros(100), 16_000)
    with pytest.raises(DataError, match="must be at least as long as one analysis window"):
        read(root)


def test_missing_segments_name_the_label_files_that_another_format_reads(root):
    for path in root.rglob("*.phn"):
        path.rename(path.with_suffix(".ctm"))
    with pytest.raises(
        DataError,
        match=r"may lack segments; .*Segments are files \.lab, .*; "
        r"2 of these utterances have a file \.ctm: data\.format=ctm reads them",
    ):
        SegmentsCorpus(config(root))


def test_missing_segments_without_other_files_say_which_were_looked_for(root):
    for path in root.rglob("*.phn"):
        path.rename(path.with_suffix(".words"))
    with pytest.raises(DataError, match=r"a file \.words: no format reads them"):
        SegmentsCorpus(config(root))
    for path in root.rglob("*.words"):
        path.unlink()
    with pytest.raises(DataError, match=r"Segments are files \.lab, \.phones\.$"):
        SegmentsCorpus(config(root, format="xlabel"))


def test_sample_that_is_not_a_number_is_refused_with_its_time(root):
    samples, rate = soundfile.read(root / "train" / "a.wav")
    samples[4000] = np.nan
    soundfile.write(root / "train" / "a.wav", samples, rate, subtype="FLOAT")
    with pytest.raises(DataError, match=r"a\.wav: samples must be finite; found 'nan at 0\.25"):
        read(root)


def test_phone_in_two_unicode_forms_is_one_class(root):
    forms: dict[str, Literal["NFC", "NFD"]] = {"a": "NFC", "b": "NFD"}
    for name, form in forms.items():
        path = root / "train" / f"{name}.phn"
        path.write_text(path.read_text().replace("aa", unicodedata.normalize(form, "\u00e3")))
    names = SegmentsCorpus(config(root)).phone_set(0).names
    assert names == ("aa", "h#", "iy", "t", "\u00e3")


def test_file_of_many_utterances_in_another_format_is_named(root):
    for path in root.rglob("*.phn"):
        path.unlink()
    (root / "all.ctm").write_text("a 1 0 1 t\n")
    with pytest.raises(DataError, match=r"there are files \.ctm: data\.format=ctm reads them"):
        SegmentsCorpus(config(root))


def to_rows(phn):
    lines = [line.split() for line in phn.read_text().splitlines()]
    return [(int(start) / 16_000, int(end) / 16_000, phone) for start, end, phone in lines]


def write_ctm(root, utterances):
    lines = [
        f"{id} 1 {start} {end - start} {phone}\n"
        for id, rows in utterances.items()
        for start, end, phone in rows
    ]
    (root / "all.ctm").write_text("".join(lines))


def write_mlf(root, utterances):
    entries = [
        f'"*/{id}.lab"\n'
        + "".join(f"{round(start * 1e7)} {round(end * 1e7)} {p}\n" for start, end, p in rows)
        + ".\n"
        for id, rows in utterances.items()
    ]
    (root / "all.mlf").write_text("#!MLF!#\n" + "".join(entries))


def write_charsiu(root, utterances):
    for id, rows in utterances.items():
        (root / f"{id}.json").write_text(json.dumps({"words": [], "phones": rows}))


def write_buckeye(root, utterances):
    for id, rows in utterances.items():
        lines = "".join(f"  {end:.6f} 121 {phone}\n" for _, end, phone in rows)
        (root / f"{id}.phones").write_text("signal x\nnfields 1\n#\n" + lines)


def write_utt(root, utterances):
    for id, rows in utterances.items():
        items = "".join(f"{i} name {p} ; end {e} ;\n" for i, (_, e, p) in enumerate(rows, 1))
        nodes = "".join(f"{i} {i} 0 0 0 0\n" for i in range(1, len(rows) + 1))
        (root / f"{id}.utt").write_text(
            f"EST_File utterance\nStream_Items\n{items}End_of_Stream_Items\nRelations\n"
            f"Relation Segment ; ()\n{nodes}End_of_Relation\n"
        )


@pytest.mark.parametrize(
    ("write", "keys"),
    [
        (write_ctm, {"format": "ctm"}),
        (write_mlf, {}),
        (write_charsiu, {"format": "json"}),
        (write_buckeye, {}),
        (write_utt, {"format": "festival"}),
    ],
)
def test_every_format_gives_the_labels_of_the_same_segments(root, write, keys):
    expected = [u.labels.tolist() for u in read(root)]
    utterances = {}
    for path in sorted(root.rglob("*.phn")):
        utterances[path.relative_to(root).with_suffix("").as_posix()] = to_rows(path)
        path.unlink()
    write(root, utterances)
    assert [u.labels.tolist() for u in read(root, **keys)] == expected
    assert SegmentsCorpus(config(root, **keys)).find_problems() == []


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("all.mlf", "4500000 5000000 t", "x 5000000 t", r"utterance train/b, line 26: a time"),
        (
            "all.mlf",
            "5000000 8000000",
            "5000000 4",
            r"train/b \(from line 24\), segment 4: must",
        ),
        (
            "all.mlf",
            "8000000 10000000",
            "8000000 20000000",
            r"train/b \(from line 24\): must end",
        ),
        ("all.ctm", "0.45 0.05", "x 0.05", r"utterance train/b, line 18: a time"),
        ("all.csv", "train/b,0.45", "train/b,x", r"utterance train/b, line 19: a time"),
    ],
)
def test_an_error_in_a_file_of_many_names_the_utterance_and_the_line(
    root, name, old, new, message
):
    utterances = {}
    for path in sorted(root.rglob("*.phn")):
        utterances[path.relative_to(root).with_suffix("").as_posix()] = to_rows(path)
        path.unlink()
    write_mlf(root, utterances)
    write_ctm(root, utterances)
    rows = [f"{id},{a},{b},{p}\n" for id, rows in utterances.items() for a, b, p in rows]
    (root / "all.csv").write_text("utterance,start_s,end_s,phone\n" + "".join(rows))
    path = root / name
    text = path.read_text().replace("0.04999999999999999", "0.05")
    start, found, end = text.rpartition(old)
    assert found
    path.write_text(start + new + end)
    keys: dict[str, Any] = {"segments": name, "format": path.suffix[1:]}
    with pytest.raises(DataError, match=message):
        read(root, **keys)


def test_numbers_of_kaldi_are_named_by_its_file_of_phones(root, caplog):
    expected = [u.labels.tolist() for u in read(root)]
    for path in root.rglob("*.phn"):
        rows = [(a, b, sorted(PHONES).index(phone) + 1) for a, b, phone in to_rows(path)]
        path.with_suffix(".ctm").write_text(
            "".join(f"u 1 {a} {b - a} {n}\n" for a, b, n in rows)
        )
        path.unlink()
    phones = root / "phones.txt"
    lines = [f"{name} {i}\n" for i, name in enumerate(["<eps>", *sorted(PHONES), "#0"])]
    phones.write_text("".join(lines))
    labels = [u.labels - 1 for u in read(root, format="ctm", phones=str(phones))]
    assert [array.tolist() for array in labels] == expected
    assert caplog.messages == []
    read(root, format="ctm")
    assert caplog.messages == [
        "all phones are numbers: data.phones=phones.txt, as Kaldi's, names them"
    ]


def test_a_missing_file_of_phones_names_its_key(root):
    with pytest.raises(DataError, match=r"data\.phones: must be an existing file; found '.*x'"):
        SegmentsCorpus(config(root, phones=str(root / "x")))


@pytest.mark.parametrize("fold", [39, "39"])
def test_a_folding_may_be_a_number(root, fold):
    keys = config(root, fold=fold)
    assert keys.fold == "39"
    assert "sil" in SegmentsCorpus(keys).phone_set(0)


def test_a_table_of_many_utterances_is_read_as_label_writes_it(tmp_path):
    for split in ("train", "dev"):
        make_utterance(tmp_path / split, "a")
        (tmp_path / split / "a.phn").unlink()
    rows = [
        f"{split}/a,{start},{end},{phone},0.9\n"
        for split in ("train", "dev")
        for start, end, phone in ((0, 0.5, "aa"), (0.5, 1.0, split))
    ]
    table = "utterance,start_s,end_s,phone,posterior\n" + "".join(rows)
    (tmp_path / "all.csv").write_text(table)
    keys = {"format": "csv", "segments": "all.csv"}
    phones = SegmentsCorpus(config(tmp_path, **keys)).phone_set(0)
    assert phones.names == ("aa", "dev", "sil", "train")
    (utterance,) = read(tmp_path, "dev", **keys)
    assert [phones.names[label] for label in utterance.labels] == ["aa"] * 49 + ["dev"] * 49
