"""Options of sound files with phone segments."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.data import DataConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("data", "segments")
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
    max_missing: float = setting(0.05, affects="nothing")
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
    workers: int | None = setting(None, affects="nothing")
    """Processes that read and analyse sound; null for all cores."""
