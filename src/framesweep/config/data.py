"""Schemas of the corpora."""

from dataclasses import dataclass
from typing import Literal

MAX_CONTEXT = 50
"""Largest context a frame store is prepared for, in frames a side."""


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """What every corpus has in common."""

    root: str | None = None
    """Folder of the corpus; the demo corpus needs none."""
    context: int = 25
    """Frames to each side of the centre frame, 0 to 50; the window has 2*context+1."""
    padding: Literal["zero", "replicate", "cross"] = "zero"
    """Beyond an utterance's edge: zeros, its edge frame, or the neighbouring utterance."""
    normalize: Literal["none", "utterance", "speaker", "sliding", "global"] = "none"
    """Mean and variance per bin: not at all, over each utterance, over all utterances of its
    speaker in the split, over a window around each frame, or over all of train."""
    normalize_frames: int = 300
    """With normalize=sliding: frames in the window."""
    dtype: Literal["float32", "float16"] = "float32"
    """Precision in which prepared features are stored."""
    max_utterances: int | None = None
    """Read only this many utterances of each split, from its start; null for all."""
    cache: str | None = None
    """Folder for prepared stores; null for outputs/cache."""


@dataclass(kw_only=True, slots=True)
class DemoConfig(DataConfig):
    """Sentences spoken by eSpeak NG: no download, exact boundaries."""

    train_minutes: float = 20.0
    """Speech to make for train, in minutes."""
    dev_minutes: float = 3.0
    """Speech to make for dev, in minutes."""
    test_minutes: float = 3.0
    """Speech to make for test, in minutes."""
    num_mel_bins: int = 40
    """Log-mel bins a frame."""
    min_snr: float = 10.0
    """Loudest noise added, as signal-to-noise ratio in dB."""
    max_snr: float = 30.0
    """Softest noise added, as signal-to-noise ratio in dB."""
    seed: int = 0
    """Chooses sentences, voices and noise; not the training seed."""


@dataclass(kw_only=True, slots=True)
class Hw1p2Config(DataConfig):
    """CMU 11-785 HW1P2 until F21: one object array a split."""

    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt where it exists."""


@dataclass(kw_only=True, slots=True)
class Hw1p2FoldersConfig(DataConfig):
    """CMU 11-785 HW1P2 since S22: one folder a partition, one file an utterance."""

    train_partition: str = "train-clean-100"
    """Folder of the train split, under root."""
    dev_partition: str = "dev-clean"
    """Folder of the dev split, under root."""
    test_partition: str = "test-clean"
    """Folder of the test split, under root; it may lack transcripts or be absent."""
    test_order: str = "test_order.csv"
    """File under root that orders the test utterances, where present."""
    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt, else the phones seen, sorted."""


@dataclass(kw_only=True, slots=True)
class SegmentsConfig(DataConfig):
    """Sound files with files of phone segments: TIMIT, Festival, HTK, Praat and MFA."""

    audio: str = ""
    """Folder of the sound files, under root, or folders with wildcards as */wav; empty for
    root itself."""
    segments: str = ""
    """Folder or folders of the segment files, with the same names and folders as audio."""
    format: Literal["auto", "phn", "xlabel", "htk", "seconds", "textgrid"] = "auto"
    """Format of the segments; auto goes by their suffix, and among .lab by their content."""
    tier: str = "phones"
    """Tier of a TextGrid that holds the phones."""
    exclude: str | None = None
    """Regular expression; utterances whose path under audio it finds are left out."""
    max_missing: float = 0.05
    """Largest share of sound files that may lack segments, 0 to 1; they are left out."""
    phones: str | None = None
    """File of phones, one a line or `PHONE id`; null for all phones of the corpus, sorted."""
    fold: Literal["48", "39", "unstressed"] | None = None
    """Merge phones before training: TIMIT's 61 to 48 or 39, or 71 stress-marked to 41."""
    gap_phone: str | None = None
    """Label of frames that no segment covers and of segments with an empty name; null for the
    phones' own silence, or sil."""
    split: Literal["folders", "lists", "speakers", "utterances"] = "folders"
    """What tells splits apart: folders, list files, a share of speakers, or of utterances."""
    train: str = "train"
    """With split=folders a folder under audio, whatever its case; with lists a file under root
    with an utterance or a folder a line. With speakers or utterances not used."""
    dev: str | None = "dev"
    """As train; null takes dev_share of train's speakers, or, without speaker, utterances."""
    test: str | None = "test"
    """As train; null for no test split."""
    speaker: str | None = None
    """Regular expression on the path under audio; its first group is the speaker."""
    dev_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in dev; null for all."""
    test_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in test; null for all."""
    dev_share: float = 0.1
    """Share of speakers, or of utterances, that become dev, 0 to 1."""
    test_share: float = 0.1
    """Share of speakers, or of utterances, that become test, 0 to 1."""
    sample_rate: int = 16_000
    """Rate in Hz to which all sound is brought."""
    features: Literal["fbank", "mfcc"] = "fbank"
    """Log-mel bins or mel-frequency cepstral coefficients."""
    num_mel_bins: int = 40
    """Mel bins a frame; with mfcc, of the spectrum they are made from."""
    num_ceps: int = 13
    """With mfcc: coefficients a frame."""
    window_ms: float = 25.0
    """Length of a frame's window in ms."""
    shift_ms: float = 10.0
    """Time from one frame to the next in ms."""
    window_type: Literal["povey", "hamming", "hanning", "rectangular"] = "povey"
    """Window function."""
    low_freq: float = 20.0
    """Lower edge of the first mel filter in Hz."""
    high_freq: float = 0.0
    """Upper edge of the last mel filter in Hz; 0 or less counts from half the sample rate."""
    use_energy: bool = False
    """Log energy of the frame, before the mel bins or in place of cepstrum 0."""
    deltas: int = 0
    """Append time derivatives up to this order, 0 to 2."""
    workers: int | None = None
    """Processes that read and analyse sound; null for all cores."""


@dataclass(kw_only=True, slots=True)
class KaldiConfig(DataConfig):
    """Kaldi feature archives and frame alignments, a folder a split."""

    train: str = "train"
    """Folder of the train split, under root."""
    dev: str = "dev"
    """Folder of the dev split, under root."""
    test: str | None = "test"
    """Folder of the test split, under root; it may lack alignments, or be absent."""
    features: str = "feats.scp"
    """Index of the features, in each split's folder."""
    alignments: str = "ali.scp"
    """Frame labels in each split's folder: an index, or a text of `UTTERANCE id id ...`."""
    phones: str | None = None
    """File of `NAME id` lines under root, as phones.txt; null numbers the classes."""
    max_missing: float = 0.05
    """Largest share of utterances, 0 to 1, that may lack features or alignments, or differ in
    their numbers of frames; they are left out."""
