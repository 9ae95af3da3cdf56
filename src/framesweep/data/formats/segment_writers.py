"""Formats phone segments as the label files of speech tools, which `segments` reads again."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from framesweep.data.formats.segment_tables import CSV_COLUMNS
from framesweep.data.formats.segments import HTK_UNITS_PER_SECOND
from framesweep.data.phone_segments import PhoneSegment
from framesweep.errors import DataError

LabelFormat = Literal["textgrid", "lab", "phn", "ctm", "csv"]

SUFFIX_OF_FORMAT: dict[LabelFormat, str] = {
    "textgrid": ".TextGrid",
    "lab": ".lab",
    "phn": ".phn",
    "ctm": ".ctm",
    "csv": ".csv",
}
"""How the names of label files end."""
PHONE_TIER, CONFIDENCE_TIER = "phones", "confidence"
"""Names of the tiers of a TextGrid."""
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Recording:
    """What a label file says about its audio.

    Attributes:
        id: The name of the utterance.
        sample_rate: The sample rate of the audio file, in Hz, in whose samples .phn counts.
    """

    id: str
    sample_rate: int


def format_segments(
    kind: LabelFormat, segments: Sequence[PhoneSegment], recording: Recording
) -> str:
    """Return the text of a label file.

    Times are rounded to the resolution of the format: a sample in .phn, 100 ns in .lab, 0.1 ms
    in .ctm, and 1 microsecond in .TextGrid and .csv.

    Args:
        kind: The format.
        segments: The phones in order of time; each starts where the one before it ends.
        recording: The audio that they describe.

    Raises:
        DataError: the name of a phone contains a space, and the format separates by spaces.
    """
    if kind in ("lab", "phn", "ctm"):
        _require_words(kind, segments)
    write: dict[LabelFormat, Callable[[Sequence[PhoneSegment], Recording], str]] = {
        "textgrid": _format_textgrid,
        "lab": _format_htk,
        "phn": _format_phn,
        "ctm": _format_ctm,
        "csv": _format_csv,
    }
    return write[kind](segments, recording)


def _require_words(kind: str, segments: Sequence[PhoneSegment]) -> None:
    for segment in segments:
        if _SPACE.search(segment.phone):
            raise DataError(
                f"format {kind}",
                "needs names of phones without spaces",
                found=segment.phone,
                fix="Use textgrid or csv.",
            )


def _format_textgrid(segments: Sequence[PhoneSegment], recording: Recording) -> str:
    """Return Praat's long text format with a tier of phones and one of mean posteriors."""
    end = _seconds(segments[-1].end_s)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {end}", "tiers? <exists>", "size = 2", "item []:"]
    tiers = {
        PHONE_TIER: [segment.phone for segment in segments],
        CONFIDENCE_TIER: [f"{segment.posterior:.3f}" for segment in segments],
    }
    for number, (name, texts) in enumerate(tiers.items(), start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"']
        lines += [f'        name = "{name}"', "        xmin = 0", f"        xmax = {end}"]
        lines.append(f"        intervals: size = {len(segments)}")
        for index, (segment, text) in enumerate(zip(segments, texts, strict=True), start=1):
            quoted = text.replace('"', '""')
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {_seconds(segment.start_s)}",
                f"            xmax = {_seconds(segment.end_s)}",
                f'            text = "{quoted}"',
            ]
    return "\n".join(lines) + "\n"


def _seconds(time: float) -> str:
    return f"{time:.6f}".rstrip("0").rstrip(".")


def _format_htk(segments: Sequence[PhoneSegment], recording: Recording) -> str:
    """Return `START END PHONE SCORE` lines in units of 100 ns, as in The HTK Book."""
    return "".join(
        f"{round(s.start_s * HTK_UNITS_PER_SECOND)} {round(s.end_s * HTK_UNITS_PER_SECOND)} "
        f"{s.phone} {s.posterior:.3f}\n"
        for s in segments
    )


def _format_phn(segments: Sequence[PhoneSegment], recording: Recording) -> str:
    """Return TIMIT's `START END PHONE` lines in samples."""
    rate = recording.sample_rate
    return "".join(
        f"{round(s.start_s * rate)} {round(s.end_s * rate)} {s.phone}\n" for s in segments
    )


def _format_ctm(segments: Sequence[PhoneSegment], recording: Recording) -> str:
    """Return NIST's `UTTERANCE CHANNEL START DURATION PHONE CONFIDENCE` lines, in seconds."""
    name = _SPACE.sub("_", recording.id)
    lines = []
    for segment in segments:
        start, end = round(segment.start_s, 4), round(segment.end_s, 4)
        lines.append(
            f"{name} 1 {start:.4f} {end - start:.4f} {segment.phone} {segment.posterior:.3f}\n"
        )
    return "".join(lines)


def _format_csv(segments: Sequence[PhoneSegment], recording: Recording) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["utterance", *CSV_COLUMNS, "posterior"])
    for s in segments:
        times = (_seconds(s.start_s), _seconds(s.end_s))
        writer.writerow([recording.id, *times, s.phone, f"{s.posterior:.6f}"])
    return text.getvalue()
