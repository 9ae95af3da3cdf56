"""Options of audio files with phone segments."""

from dataclasses import dataclass, fields
from typing import Literal, cast

from framesweep.config.data import DataConfig
from framesweep.config.features import (
    STORED_FEATURES,
    FeatureOptions,
    Featurization,
    extract_options,
)
from framesweep.config.registry import option
from framesweep.config.setting import setting
from framesweep.errors import ConfigError

Folding = Literal["48", "39", "unstressed"]


@option("data", "segments", built_by="framesweep.data.readers.segments:SegmentsCorpus")
@dataclass(kw_only=True, slots=True)
class SegmentsConfig(FeatureOptions, DataConfig):
    """Sound files, or stored features, with files of phone segments: TIMIT, Festival, HTK,
    Praat and MFA."""

    audio: str = ""
    """Folder of the audio files in root. It may contain wildcards, as */wav. Empty is root."""
    segments: str = ""
    """Folder of the segment files in root, named and arranged like the audio files. It may
    contain wildcards. Empty is root. It may also be one file of many utterances, .mlf,
    .ctm or .csv."""
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
        "frames",
    ] = "auto"
    """Format of the segment files. auto chooses by their suffix, for .lab by their content; it
    does not look for .ctm, .csv, .json and Festival's .utt. frames is a label per frame, in
    .npy or text files, for stored features."""
    offset_ms: float | None = setting(None, unit="ms", added=True)
    """With stored features, time of the center of the first frame. null is half a window. It
    has no effect where frames and labels are paired by their numbers."""
    label_shift_ms: float = setting(10.0, unit="ms", added=True)
    """With format=frames, frame shift of the labels."""
    match_length: Literal["none", "repeat", "pad", "truncate"] = setting("none", added=True)
    """With format=frames, how features and labels of different lengths are paired. none takes
    the label of the same number if the frame shifts are equal, and otherwise the one whose
    center is nearest to that of the frame; the first label's is at half a window. truncate
    leaves out the end of the longer, pad repeats the last frame or label of the shorter, and
    repeat first repeats each frame as S3PRL does."""
    tier: str = "phones"
    """Tier of a TextGrid, or list in JSON, that contains the phones: a name, a pattern such as
    '*phone*', or several of these separated by |, of which the first that a file has is
    read."""
    exclude: str | None = None
    """Regular expression. Utterances with a match in their path below audio are left out."""
    max_missing: float = setting(0.05, affects="nothing", unit="share")
    """Up to this share of a split's audio files, from 0 to 1, may have no segments. These files
    are left out. A larger share is an error."""
    phones: str | None = None
    """File of phones, each line `PHONE` or `PHONE id`. null takes all phones of the corpus in
    alphabetical order."""
    fold: Literal["48", "39", "unstressed", 48, 39] | None = None
    """Merge phones before training: the 61 phones of TIMIT to 48 or 39, or 71 phones with
    stress marks to 41 without."""
    gap_phone: str | None = None
    """Label of frames outside all segments, and of segments without a name. null is the silence
    of the phones, or sil."""
    split: Literal["folders", "lists", "speakers", "utterances"] = "folders"
    """What defines the splits: folders, files that list utterances, or shares: of the speakers,
    whom a hash of their names orders, or of the utterances, spread evenly."""
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
    """Share of speakers or utterances that form dev, at least 0 and below 1."""
    test_share: float = setting(0.1, unit="share")
    """Share of speakers or utterances that form test, at least 0 and below 1."""
    sample_rate: int = setting(16_000, unit="Hz")
    """Sample rate to which all audio is resampled."""
    workers: int | None = setting(None, affects="nothing", unit="processes")
    """Processes that read audio and compute features. null is one per core."""

    def __post_init__(self) -> None:
        """Check the rules of both bases."""
        DataConfig.__post_init__(self)
        FeatureOptions.__post_init__(self)
        if self.fold is not None:
            # data.fold=39 is a number for Hydra.
            self.fold = cast(Folding, str(self.fold))
        self._validate_stored()

    def _validate_stored(self) -> None:
        """Check the rules of stored features and of labels per frame."""
        if self.format == "frames" and not self.has_stored_features:
            rule, fix = "needs stored features", "Set data.features=npy, pt or ark."
            raise ConfigError("data.format", rule, found=self.format, fix=fix)
        if self.match_length != "none" and self.format != "frames":
            rule = "needs a label per frame"
            raise ConfigError(
                "data.match_length",
                rule,
                found=self.match_length,
                fix="Set data.format=frames.",
            )
        if self.features == "npy" and self.format == "frames" and self.audio == self.segments:
            rule = "must be another folder than that of the features, data.audio"
            raise ConfigError("data.segments", rule, found=self.segments)

    def list_ineffective(self) -> list[tuple[str, str]]:
        """Return the keys that were set without having an effect, each with what it needs."""
        folders, by_name = self.split == "folders", self.split in ("folders", "lists")
        named, shared = "data.split=folders or lists", "data.split=speakers or utterances"
        needs = (
            ("offset_ms", "stored features", self.has_stored_features),
            ("label_shift_ms", "data.format=frames", self.format == "frames"),
            *((key, named, by_name) for key in ("train", "dev", "test")),
            ("dev_speakers", "data.split=folders", folders),
            ("test_speakers", "data.split=folders", folders),
            ("dev_share", f"data.dev=null, or {shared}", self.dev is None or not by_name),
            ("test_share", shared, not by_name),
        )
        defaults = {field.name: field.default for field in fields(self)}
        return [
            (f"data.{key}", need)
            for key, need, is_met in needs
            if not is_met and getattr(self, key) != defaults[key]
        ]

    @property
    def has_stored_features(self) -> bool:
        """Whether features are read from files instead of being computed from audio."""
        return self.features in STORED_FEATURES

    @property
    def first_center_ms(self) -> float:
        """Time of the center of the first frame of stored features."""
        return self.window_ms / 2 if self.offset_ms is None else self.offset_ms

    @property
    def frame_shift_ms(self) -> float:
        """The frame shift in milliseconds: that of the labels if these decide the frames."""
        return self.label_shift_ms if self.match_length == "repeat" else self.shift_ms

    @property
    def featurization(self) -> Featurization | None:
        """How features are computed from audio; None if they are read from files."""
        if self.has_stored_features:
            return None
        return Featurization(self.sample_rate, extract_options(self))
