"""Options of audio files with phone segments."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.data import DataConfig
from framesweep.config.features import FeatureOptions, Featurization, extract_options
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("data", "segments", built_by="framesweep.data.readers.segments:SegmentsCorpus")
@dataclass(kw_only=True, slots=True)
class SegmentsConfig(FeatureOptions, DataConfig):
    """Sound files with files of phone segments: TIMIT, Festival, HTK, Praat and MFA."""

    audio: str = ""
    """Folder of the audio files in root. It may contain wildcards, as */wav. Empty is root."""
    segments: str = ""
    """Folder of the segment files in root, named and arranged like the audio files. It may
    contain wildcards. Empty is root. It may also be one file of many utterances, .mlf or
    .ctm."""
    format: Literal[
        "auto",
        "phn",
        "xlabel",
        "htk",
        "mlf",
        "seconds",
        "textgrid",
        "ctm",
        "csv",
        "json",
        "festival",
    ] = "auto"
    """Format of the segment files. auto chooses by their suffix, for .lab by their content; it
    does not look for .ctm, .csv, .json and Festival's .utt."""
    tier: str = "phones"
    """Tier of a TextGrid, or list in JSON, that contains the phones: a name, a pattern such as
    '*phone*', or several of these separated by |, of which the first that a file has is
    read."""
    exclude: str | None = None
    """Regular expression. Utterances with a match in their path below audio are left out."""
    max_missing: float = setting(0.05, affects="nothing", unit="share")
    """Largest share of audio files, from 0 to 1, that may lack segments. They are left out; a
    larger share is an error."""
    phones: str | None = None
    """File of phones, each line `PHONE` or `PHONE id`. null takes all phones of the corpus in
    alphabetical order."""
    fold: Literal["48", "39", "unstressed"] | None = None
    """Merge phones before training: the 61 phones of TIMIT to 48 or 39, or 71 phones with
    stress marks to 41 without."""
    gap_phone: str | None = None
    """Label of frames outside all segments, and of segments without a name. null is the silence
    of the phones, or sil."""
    split: Literal["folders", "lists", "speakers", "utterances"] = "folders"
    """What defines the splits: folders, files that list utterances, or a random share of the
    speakers or of the utterances."""
    train: str = "train"
    """With split=folders, a folder in audio (upper and lower case are the same). With
    split=lists, a file in root with one utterance or folder per line. Otherwise unused."""
    dev: str | None = "dev"
    """As train. null takes dev_share of the speakers of train or, if speaker is null, of its
    utterances."""
    test: str | None = "test"
    """As train. null means that there is no test split."""
    speaker: str | None = None
    """Regular expression for the path below audio. Its first group is the speaker."""
    dev_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in dev. null keeps all."""
    test_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in test. null keeps all."""
    dev_share: float = setting(0.1, unit="share")
    """Share of speakers or utterances that form dev, from 0 to 1."""
    test_share: float = setting(0.1, unit="share")
    """Share of speakers or utterances that form test, from 0 to 1."""
    sample_rate: int = setting(16_000, unit="Hz")
    """Sample rate to which all audio is resampled."""
    workers: int | None = setting(None, affects="nothing", unit="processes")
    """Processes that read audio and compute features. null is one per core."""

    def __post_init__(self) -> None:
        """Check the rules of both bases."""
        DataConfig.__post_init__(self)
        FeatureOptions.__post_init__(self)

    @property
    def featurization(self) -> Featurization:
        """How features are computed from audio."""
        return Featurization(self.sample_rate, extract_options(self))
