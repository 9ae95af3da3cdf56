"""Lists the files in the folders that data.audio and data.segments name, by their suffixes."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.formats import audio
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segments import SUFFIXES
from framesweep.data.readers.folder_walk import walk
from framesweep.data.readers.source_files import resolve_inside, resolve_root
from framesweep.errors import ConfigError, DataError

SUFFIXES_OF_FORMAT = {
    "phn": (".phn",),
    "xlabel": (".lab", ".phones"),
    "htk": (".lab",),
    "mlf": (),
    "seconds": (".lab", ".txt"),
    "textgrid": (".textgrid",),
    "ctm": (".ctm",),
    "csv": (".csv",),
    "json": (".json",),
    "festival": (".utt",),
    "frames": (".npy", ".txt"),
}
"""Suffixes of the files of one utterance that each format reads."""
OTHER_SUFFIXES_OF_FORMAT = {"seconds": (".phn",)}
"""Those of files that a format reads where there are no others."""
FEATURE_SUFFIXES = {"npy": (".npy",), "pt": (".pt", ".pth"), "ark": (".ark", ".scp")}
"""Suffixes of the files of stored features of each kind."""
MASTERS_OF_FORMAT = {
    "auto": ".mlf",
    "htk": ".mlf",
    "mlf": ".mlf",
    "ctm": ".ctm",
    "csv": ".csv",
    "frames": ".txt",
}
"""Suffix of the files of many utterances. They are read where no file of one utterance is."""
_UTTERANCE_SUFFIXES = {
    *audio.SUFFIXES,
    *SUFFIXES,
    *chain(*SUFFIXES_OF_FORMAT.values(), *FEATURE_SUFFIXES.values()),
}


def remove_suffix(name: str) -> str:
    """Return the id of the utterance to which a file of audio, features or labels belongs."""
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in _UTTERANCE_SUFFIXES else name


def describe_label_files(config: SegmentsConfig, ids: Collection[str]) -> str:
    """Return which files were looked for, and which others of the utterances `ids` there are.

    An error message adds this where segments are missing: the files may have a suffix that
    another data.format reads.
    """
    suffixes = SUFFIXES_OF_FORMAT.get(config.format, SUFFIXES)
    root = resolve_root(config.root)
    counts: Counter[str] = Counter()
    masters: Counter[str] = Counter()
    folded = {id.casefold() for id in ids}
    for relative, path in list_files(root, "segments", config.segments):
        suffix = path.suffix.lower()
        id = normalize_name(relative.as_posix().removesuffix(path.suffix))
        if suffix in suffixes and id not in ids and id.casefold() in folded:
            name = relative.as_posix()
            return f"Names must agree in upper and lower case; there is {name!r}."
        if suffix and suffix not in (*suffixes, *audio.SUFFIXES):
            (counts if id in ids else masters)[suffix] += 1
    looked_for = sorted({*suffixes, MASTERS_OF_FORMAT.get(config.format, "")} - {""})
    text = f"Segments are files {', '.join(looked_for)}"
    # Files of many utterances are called otherwise, and matter only if a format reads them.
    readable = [suffix for suffix in masters if suffix in MASTERS_OF_FORMAT.values()]
    readable = [suffix for suffix in readable if suffix not in looked_for]
    for suffix, what in [
        *(
            (suffix, f"{n} of these utterances have a file")
            for suffix, n in counts.most_common(1)
        ),
        *((suffix, "there are files") for suffix in readable[:1]),
    ]:
        formats = [name for name, known in SUFFIXES_OF_FORMAT.items() if suffix in known]
        fix = f"data.format={formats[0]} reads them" if formats else "no format reads them"
        return f"{text}; {what} {suffix}: {fix}."
    return f"{text}."


def list_files(root: Path, key: str, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield all files that `data.<key>` names, each after its path below the folder of the key.

    data.segments may also name one file, of many utterances.
    """
    if key == "segments" and name and (file := resolve_inside(root, name, key)).is_file():
        yield Path(file.name), file
        return
    for prefix, folder in _match_folders(root, name, f"data.{key}"):
        for path in walk(folder):
            yield prefix / path.relative_to(folder), path


def _match_folders(root: Path, name: str, key: str) -> list[tuple[Path, Path]]:
    """Return the folders that match the pattern `name`, each after what its wildcards matched.

    The matched parts become the start of the ids. data.audio='*/wav' and
    data.segments='*/textgrid' thus give one id to both files of an utterance.
    """
    pattern = resolve_inside(root, name, key) if name else root
    if pattern.is_dir():  # also a folder whose name contains a wildcard's character
        return [(Path(), pattern)]
    parts = pattern.relative_to(root).parts
    # ** matches any number of folders, so that it would be unclear which ones to compare.
    if "**" in parts:
        raise ConfigError(key, "must have one wildcard per folder, not **", found=name)
    wildcards = [i for i, part in enumerate(parts) if set(part) & set("*?[")]
    folders = [f for f in sorted(root.glob("/".join(parts))) if f.is_dir()] if wildcards else []
    if not folders:
        raise DataError(key, "must be an existing folder", found=str(pattern))
    return [(Path(*(f.relative_to(root).parts[i] for i in wildcards)), f) for f in folders]
