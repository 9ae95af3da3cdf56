"""The demo corpus is reproducible, and its labels fit what is heard."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from framesweep.config import DemoConfig
from framesweep.data.corpus import SPLITS
from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.demo.corpus import (
    DemoCorpus,
    list_voices,
    make_colored_noise,
    read_sentences,
)
from framesweep.data.store.prepared import prepare
from framesweep.errors import ConfigError

SMALL = {"train_minutes": 0.5, "dev_minutes": 0.1, "test_minutes": 0.1}
SIL, SPN = ARPABET_71.id("SIL"), ARPABET_71.id("SPN")

DIGEST = """
import hashlib
from framesweep.config import DemoConfig
from framesweep.data.readers.demo.corpus import DemoCorpus
corpus = DemoCorpus(DemoConfig(train_minutes=0.5, dev_minutes=0.1, test_minutes=0.1, seed=7))
digest = hashlib.sha256()
for split in corpus.splits():
    for utterance in corpus.utterances(split):
        digest.update(utterance.features.tobytes() + utterance.labels.tobytes())
print(digest.hexdigest())
"""


def small(**keys):
    return DemoCorpus(DemoConfig(**{**SMALL, **keys}))


@pytest.fixture(scope="module")
def clean():
    """Utterances with almost no noise, about four per variant of a voice."""
    corpus = small(train_minutes=6.0, min_snr=60.0, max_snr=60.0)
    return list(corpus.utterances("train"))


def loudness(utterance):
    """(T,) mean log energy of each frame relative to the quietest frames of the utterance."""
    energy = utterance.features.mean(axis=1)
    return energy - np.quantile(energy, 0.02)


def test_utterances_are_the_same_in_every_process():
    printed = [
        subprocess.run(
            [sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    digest = hashlib.sha256()
    corpus = small(seed=7)
    for split in reversed(corpus.splits()):
        list(corpus.utterances(split))
    for split in corpus.splits():
        for utterance in corpus.utterances(split):
            digest.update(utterance.features.tobytes() + utterance.labels.tobytes())
    assert printed == [digest.hexdigest() + "\n"] * 2


def test_other_seed_makes_other_utterances():
    first, other = (next(small(seed=seed).utterances("dev")) for seed in (0, 1))
    assert first.features.shape != other.features.shape or not np.array_equal(
        first.features, other.features
    )


def test_splits_share_no_variant_of_a_voice():
    variants = [{voice.partition("+")[2] for voice in list_voices(split)} for split in SPLITS]
    assert len(set.union(*variants)) == sum(map(len, variants))
    corpus = small()
    for split in SPLITS:
        heard = {utterance.speaker for utterance in corpus.utterances(split)}
        assert heard <= set(list_voices(split))


def test_every_frame_has_features_and_a_label(clean):
    for utterance in clean:
        assert utterance.features.dtype == np.float32
        assert utterance.features.shape == (len(utterance.labels), 40)
        assert np.isfinite(utterance.features).all()
        assert utterance.labels[0] == utterance.labels[-1] == SIL
    assert len({utterance.id for utterance in clean}) == len(clean)


def test_silence_is_quiet_and_vowels_are_loud(clean):
    vowels = [i for i, name in enumerate(ARPABET_71.names) if name[-1].isdigit()]
    for utterance in clean:
        level = loudness(utterance)
        assert np.median(level[np.isin(utterance.labels, vowels)]) > 4.0
        # Windows extend 12.5 ms beyond a frame's center: ignore silence next to speech.
        silent = utterance.labels == SIL
        inner = silent[1:-1] & silent[:-2] & silent[2:]
        assert np.median(level[1:-1][inner]) < 1.0
        assert (level[1:-1][inner] > 4.0).mean() < 0.05


def test_labels_fit_the_audio_better_than_shifted_labels(clean):
    """Sibilants have much energy at high frequencies, which locates them to about a frame."""
    sibilants = [ARPABET_71.id(name) for name in ("S", "SH", "CH", "Z")]
    contrast = {}
    for shift in (-4, -2, 0, 2, 4):
        inside, outside = [], []
        for utterance in clean:
            bright = utterance.features[:, 30:].mean(axis=1) - utterance.features[:, :12].mean(
                axis=1
            )
            is_sibilant = np.roll(np.isin(utterance.labels, sibilants), shift)
            inside.append(bright[is_sibilant])
            outside.append(bright[~is_sibilant])
        contrast[shift] = np.concatenate(inside).mean() - np.concatenate(outside).mean()
    assert max(contrast, key=lambda shift: contrast[shift]) == 0


def test_stop_starts_with_its_closure(clean):
    """The quietest frame of a voiceless stop in a word is much quieter than its neighbors."""
    stops = [ARPABET_71.id(name) for name in "PTK"]
    drops = []
    for utterance in clean:
        level, labels = loudness(utterance), utterance.labels
        starts = 1 + np.flatnonzero(np.isin(labels[1:], stops) & (labels[1:] != labels[:-1]))
        for start in starts:
            stop = start + int(np.argmax(labels[start:] != labels[start]))
            if labels[start - 1] != SIL and start >= 3:
                drops.append(level[start - 3 : start].max() - level[start:stop].min())
    assert len(drops) > 100
    assert np.median(drops) > 3.0


def test_all_71_labels_occur():
    corpus = DemoCorpus(DemoConfig())
    labels = np.concatenate(
        [u.labels for u in corpus.utterances("train") if u.labels is not None]
    )
    seen = np.bincount(labels, minlength=len(ARPABET_71))
    assert [name for name, count in zip(ARPABET_71.names, seen, strict=True) if not count] == []
    assert 0.1 < seen[SIL] / seen.sum() < 0.3
    assert 19.0 < seen.sum() / 6000 < 21.0
    assert corpus.phone_set(int(np.flatnonzero(seen)[-1]) + 1) is ARPABET_71


def test_noise_has_the_configured_ratio_to_speech():
    """In the same utterance at two ratios 20 dB apart, silence differs by 20 dB."""
    levels = []
    for snr in (10.0, 30.0):
        utterance = next(small(min_snr=snr, max_snr=snr).utterances("dev"))
        silent = np.flatnonzero(utterance.labels == SIL)[:8]
        levels.append(utterance.features[silent].mean())
    assert levels[0] - levels[1] == pytest.approx(20 / 10 * np.log(10), abs=0.05)


@pytest.mark.parametrize("snr", [-200.0, 200.0])
def test_features_are_finite_at_the_ends_of_the_range(snr):
    utterance = next(small(min_snr=snr, max_snr=snr).utterances("dev"))
    assert np.isfinite(utterance.features).all()


def test_colored_noise_has_unit_power_which_falls_with_frequency():
    for seed in range(5):
        noise = make_colored_noise(16_001, np.random.default_rng(seed))
        assert noise.shape == (16_001,)
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(1.0)
        power = np.abs(np.fft.rfft(noise)) ** 2
        assert power[100:1000].mean() > 0.9 * power[4000:8000].mean()


def test_number_of_utterances_depends_on_minutes_and_limit():
    corpus = small()
    assert [corpus.num_utterances(split) for split in SPLITS] == [8, 2, 2]
    for split in SPLITS:
        assert len(list(corpus.utterances(split))) == corpus.num_utterances(split)
    few = small(max_utterances=3)
    assert [few.num_utterances(split) for split in SPLITS] == [3, 2, 2]
    prefix = [utterance.labels for utterance in corpus.utterances("train")][:3]
    for expected, utterance in zip(prefix, few.utterances("train"), strict=True):
        assert np.array_equal(expected, utterance.labels)
    assert small(dev_minutes=1e-6).num_utterances("dev") == 1


def test_num_mel_bins_sets_the_feature_dimension():
    assert next(small(num_mel_bins=23).utterances("dev")).features.shape[1] == 23


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"num_mel_bins": 23},
        {"min_snr": 6.0},
        {"max_snr": 25.0},
        {"train_minutes": 2.0},
        {"max_utterances": 1},
    ],
)
def test_source_key_differs_if_the_content_does(change):
    key = small().source_key()
    assert json.loads(json.dumps(key)) == key
    assert small().source_key() == key
    assert small(**change).source_key() != key


def test_source_key_is_equal_if_the_content_is():
    assert small(context=5, normalize="utterance").source_key() == small().source_key()


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"train_minutes": 0.0}, "data.train_minutes"),
        ({"dev_minutes": -1.0}, "data.dev_minutes"),
        ({"test_minutes": float("nan")}, "data.test_minutes"),
        ({"train_minutes": float("inf")}, "data.train_minutes"),
        ({"num_mel_bins": 0}, "data.num_mel_bins"),
        ({"num_mel_bins": 1000}, "data.num_mel_bins, data.low_freq, data.high_freq"),
        ({"min_snr": 31.0}, "data.min_snr"),
        ({"max_snr": float("inf")}, "data.max_snr"),
        ({"max_snr": float("nan")}, "data.max_snr"),
        ({"max_snr": 201.0}, "data.max_snr"),
        ({"min_snr": -10_000.0}, "data.min_snr"),
        ({"seed": -1}, "data.seed"),
    ],
)
def test_key_out_of_range_is_refused(keys, where):
    with pytest.raises(ConfigError) as refused:
        next(small(**keys).utterances("train"))
    assert refused.value.where == where


def test_corpus_can_be_prepared(tmp_path):
    prepared = prepare(small(), tmp_path)
    assert prepared.feature_dim == 40
    assert prepared.phones == ARPABET_71
    assert set(prepared.splits) == set(SPLITS)
    assert prepared.splits["dev"].speakers[0] in list_voices("dev")


def test_sentences_are_many_and_distinct():
    texts = read_sentences()
    assert 300 <= len(texts) == len(set(texts))
    assert all(text == text.strip() and text for text in texts)


def test_babble_is_audible_and_labelled(clean):
    noisy = [utterance for utterance in clean if (utterance.labels == SPN).any()]
    assert 0 < len(noisy) < len(clean) / 3
    for utterance in noisy:
        assert np.median(loudness(utterance)[utterance.labels == SPN]) > 3.0
