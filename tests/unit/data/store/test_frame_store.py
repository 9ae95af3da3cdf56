"""Stores are prepared once, laid out as documented, and refused if damaged."""

import errno
import json
import os

import numpy as np
import pytest

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.store.frame_store import GAPS, open_store, pad, verify_views
from framesweep.data.store.normalization import fit_normalizer, standardize_plainly
from framesweep.data.store.prepared import prepare
from framesweep.errors import ConfigError, DataError
from toy import NAMES, ToyCorpus


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("zero", [[0, 0], [1, 2], [3, 4], [0, 0], [0, 0]]),
        ("cross", [[0, 0], [1, 2], [3, 4], [0, 0], [0, 0]]),
        ("replicate", [[1, 2], [1, 2], [3, 4], [3, 4], [3, 4]]),
    ],
)
def test_padding_is_zero_or_the_edge_frames(padding, expected):
    assert pad(np.array([[1.0, 2.0], [3.0, 4.0]]), 1, 2, padding).tolist() == expected


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
def test_every_frame_is_in_its_documented_row(tmp_path, padding):
    corpus = ToyCorpus({"train": (12, 3, 20), "dev": (9, 2)})
    config = DataConfig(padding=padding, normalize="none")
    split = open_store(config, corpus, tmp_path).splits["train"]
    assert (split.lead, split.gap) == (MAX_CONTEXT, GAPS[padding])
    assert split.num_frames == 35
    utterances = np.repeat([0, 1, 2], split.lengths)
    rows = split.rows[split.lead + np.arange(35) + split.gap * utterances]
    features = np.concatenate([u.features for u in corpus.utterances("train")])
    np.testing.assert_array_equal(rows, features)
    if padding != "replicate":
        others = np.setdiff1d(
            np.arange(len(split.rows)), split.lead + np.arange(35) + split.gap * utterances
        )
        assert not split.rows[others].any()


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
@pytest.mark.parametrize("normalize", ["none", "utterance", "speaker", "global", "sliding"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_are_the_bits_of_the_plain_way(tmp_path, padding, normalize, dtype):
    config = DataConfig(padding=padding, normalize=normalize, normalize_frames=5, dtype=dtype)
    corpus = ToyCorpus()
    open_store(config, corpus, tmp_path)
    prepared = prepare(corpus, tmp_path)
    normalizer = fit_normalizer(normalize, 5, prepared.splits["train"])
    for name, arrays in prepared.splits.items():
        plain = list(normalizer.over(arrays))
        if normalize == "utterance":
            plain = list(map(standardize_plainly, arrays.utterances()))
        last = len(plain) - 1
        expected = [
            pad(
                features,
                MAX_CONTEXT if i == 0 or padding == "replicate" else 0,
                MAX_CONTEXT if i == last or padding != "cross" else 0,
                padding,
            )
            for i, features in enumerate(plain)
        ]
        rows = next(prepared.folder.glob(f"view*/{name}.rows")).read_bytes()
        assert rows == np.concatenate(expected).astype(dtype).tobytes()


def test_half_precision_rows_are_rounded_features(tmp_path):
    full = open_store(DataConfig(), ToyCorpus(), tmp_path).splits["dev"].rows
    half = open_store(DataConfig(dtype="float16"), ToyCorpus(), tmp_path).splits["dev"].rows
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, full.astype(np.float16))


def test_values_beyond_half_precision_are_refused(tmp_path):
    class Loud(ToyCorpus):
        def utterances(self, split):
            for utterance in super().utterances(split):
                utterance.features[3, 2] = 1e9
                yield utterance

    message = (
        r"the range of float16; found 1000000000\.0\. Try .*float32 and data\.normalize=utt"
    )
    with pytest.raises(ConfigError, match=message):
        open_store(DataConfig(dtype="float16", normalize="none"), Loud(), tmp_path)
    assert not list(tmp_path.glob("*/view*"))
    open_store(DataConfig(dtype="float16"), Loud(), tmp_path)
    open_store(DataConfig(normalize="none"), Loud(), tmp_path)


def test_contexts_and_paddings_share_one_prepared_corpus(tmp_path):
    class Counting(ToyCorpus):
        reads = 0

        def utterances(self, split):
            Counting.reads += 1
            return super().utterances(split)

    for context in (3, 10):
        for padding in ("zero", "cross"):
            open_store(DataConfig(context=context, padding=padding), Counting(), tmp_path)
    assert Counting.reads == 3  # train, dev and test, once each


def test_other_source_gets_another_store(tmp_path):
    digests = {open_store(DataConfig(), ToyCorpus(seed=s), tmp_path).digest for s in (0, 1)}
    assert len(digests) == 2
    assert len([p for p in tmp_path.iterdir() if p.is_dir()]) == 2


def test_phones_and_ids_are_kept(tmp_path):
    store = open_store(DataConfig(), ToyCorpus(), tmp_path)
    assert store.phones.names == NAMES
    assert store.splits["dev"].ids == ("dev0", "dev1")


def only_store(cache):
    return next(p for p in cache.iterdir() if p.is_dir())


@pytest.mark.parametrize("name", ["train.features", "dev.labels", "meta.json"])
def test_damaged_store_is_refused(tmp_path, name):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    path = only_store(tmp_path) / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=name):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


def test_store_of_another_version_is_refused(tmp_path):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    meta = only_store(tmp_path) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "format": 0}))
    with pytest.raises(DataError, match="store format 1; found 0"):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


STORED = (
    "meta.json",
    "train.features",
    "dev.labels",
    "train.lengths",
    "train.utterances.json",
    "checksums.json",
    "view*/meta.json",
    "view*/train.rows",
    "view*/checksums.json",
)


def flip_bit(path):
    """Damage the file in the middle, as a failing disk does: size and time stay the same."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("name", STORED)
def test_a_flipped_bit_in_any_file_is_noticed_and_the_file_named(tmp_path, name):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    (path,) = only_store(tmp_path).glob(name)
    flip_bit(path)
    with pytest.raises(DataError, match=r"Delete .*; it will be created again") as caught:
        open_store(DataConfig(verify=True), ToyCorpus(), tmp_path)
    assert path.name in str(caught.value)


def test_only_files_that_training_reads_are_compared_at_its_start(tmp_path):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    flip_bit(only_store(tmp_path) / "train.features")
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    # A view of another padding is computed from the features.
    with pytest.raises(DataError, match=r"train\.features"):
        open_store(DataConfig(padding="cross"), ToyCorpus(), tmp_path)


def test_inspection_compares_every_view(tmp_path):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    (rows,) = only_store(tmp_path).glob("view*/dev.rows")
    prepared = prepare(ToyCorpus(), tmp_path)
    verify_views(prepared)
    flip_bit(rows)
    with pytest.raises(DataError, match=r"dev\.rows"):
        verify_views(prepared)


def forget_checksums(cache):
    for path in cache.rglob("checksums.json"):
        path.unlink()


def test_a_store_without_checksums_is_opened_as_earlier_versions_wrote_it(tmp_path):
    expected = open_store(DataConfig(), ToyCorpus(), tmp_path)
    forget_checksums(tmp_path)
    found = open_store(DataConfig(verify=True), ToyCorpus(), tmp_path)
    np.testing.assert_array_equal(found.splits["train"].rows, expected.splits["train"].rows)
    assert list(tmp_path.rglob("checksums.json")) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta.json", b"{}"),
        ("meta.json", b"[]"),
        ("train.lengths", np.array([-1, 5, 5, 5]).tobytes()),
        ("train.lengths", np.array([10**12, 5, 5, 5]).tobytes()),
        ("train.lengths", b""),
        ("train.utterances.json", b"[]"),
        ("train.utterances.json", b"[3]"),
        ("train.utterances.json", b"{"),
        ("train.utterances.json", b"\xff"),
        ("view*/meta.json", b"[]"),
    ],
)
def test_a_nonsensical_file_without_a_checksum_is_refused_in_one_line(tmp_path, name, content):
    open_store(DataConfig(), ToyCorpus(), tmp_path)
    forget_checksums(tmp_path)
    (path,) = only_store(tmp_path).glob(name)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Delete|must have"):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


def test_labels_of_no_phone_are_refused_without_a_checksum(tmp_path):
    labels = np.array(open_store(DataConfig(), ToyCorpus(), tmp_path).splits["dev"].labels)
    forget_checksums(tmp_path)
    labels[3] = 30_000
    labels.tofile(only_store(tmp_path) / "dev.labels")
    with pytest.raises(DataError, match=r"dev\.labels: .* it has labels of no phone"):
        open_store(DataConfig(), ToyCorpus(), tmp_path)


def test_a_limit_of_the_system_is_not_called_damage(tmp_path, monkeypatch):
    open_store(DataConfig(), ToyCorpus(), tmp_path)

    def fail(*args, **kwargs):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(np, "fromfile", fail)
    with pytest.raises(OSError, match="Too many open files"):
        open_store(DataConfig(), ToyCorpus(), tmp_path)
