"""Locates and identifies the files of a corpus: its root, file stamps, and its phone list."""

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePath

from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.npy_zip import ZIP_ERRORS
from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError

FilePath = Path | zipfile.Path
"""A file or folder on disk, or in a zip file."""


def resolve_root(root: str | None) -> Path:
    """Return the absolute path of the folder that data.root names; `~` is expanded.

    Raises:
        ConfigError: data.root is not set.
        DataError: it is not a folder.
    """
    if not root:
        raise ConfigError(
            "data.root", "must name the folder of the corpus", fix="Set data.root=FOLDER."
        )
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise DataError("data.root", "must be an existing folder", found=str(folder))
    return folder


def require_inside(name: str, key: str) -> Path:
    """Return `name`, the value of the config key `key`, as a path.

    Raises:
        ConfigError: it is empty, or leads out of data.root.
    """
    path = Path(name)
    if not name or leads_out(path):
        raise ConfigError(key, "must be a relative path inside data.root", found=name)
    return path


def leads_out(path: PurePath) -> bool:
    """Return whether a path may lead out of the folder that it is appended to.

    On Windows that is also one with a drive or a first backslash alone, as `C:a` and `\\a`.
    """
    return bool(path.anchor) or ".." in path.parts


def resolve_inside(root: Path, name: str, key: str) -> Path:
    """Return the path of `name` under `root`.

    Raises:
        ConfigError: `name`, the value of the config key `key`, is empty or leads out of `root`.
    """
    path = require_inside(name, key)
    exact = root / path
    return exact if exact.exists() else _find_in_other_form(root, path.parts)


def _find_in_other_form(root: Path, parts: tuple[str, ...]) -> Path:
    """Return the path of `parts` under `root`, of which some may be in another Unicode form.

    A part that exists in neither form, or that has wildcards, is left as it is.
    """
    found = root
    for part in parts:
        exact = found / part
        if not exact.exists() and found.is_dir():
            wanted = normalize_name(part)
            alike = (p for p in found.iterdir() if normalize_name(p.name) == wanted)
            exact = next(alike, exact)
        found = exact
    return found


def stamp_files(files: Iterable[Path | None]) -> dict[str, tuple[int, int]]:
    """Return the size in bytes and the modification time in ns of each file, by its path.

    A prepared corpus is identified by these stamps. Hashing the content would be exact, but
    would read tens of gigabytes before each run.
    """
    stamps = {}
    for file in files:
        if file is not None:
            status = file.stat()
            stamps[str(file)] = (status.st_size, status.st_mtime_ns)
    return stamps


def find_phones(root: FilePath, phones: str | None) -> FilePath | None:
    """Return the file that data.phones names, else phonemes.txt in `root`, else None.

    Raises:
        DataError: data.phones is set and is not a file.
    """
    if (listed := find_listed_phones(phones)) is not None:
        return listed
    path: FilePath = root / "phonemes.txt"
    return path if path.is_file() else None


def find_listed_phones(phones: str | None) -> Path | None:
    """Return the file that data.phones names, or None if it is null.

    Raises:
        DataError: it is not a file.
    """
    if phones is None:
        return None
    path = Path(phones).expanduser()
    if not path.is_file():
        raise DataError("data.phones", "must be an existing file", found=phones)
    return path


def is_number(name: str) -> bool:
    """Return whether a label is the number of a class."""
    # str.isdigit alone accepts digits of other scripts, and superscripts that int rejects.
    return name.isascii() and name.isdigit() and len(name) <= 6


def read_phones(path: FilePath) -> PhoneSet:
    """Return the phones that a text file lists.

    Lines are either `PHONE ID` in any order, with ids 0, 1, 2, ... (as in Kaldi's phones.txt),
    or one phone each, in the order of their ids.

    Raises:
        DataError: the file is unreadable, a line is malformed, a phone is repeated, or an id is
            missing or repeated.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, *ZIP_ERRORS) as error:
        raise DataError(path, f"must be a readable text file ({error})") from None
    if any(lines) and all(len(line.split()) <= 1 for line in lines):
        names = [normalize_name(line.strip()) for line in lines if line.strip()]
        return PhoneSet.from_pairs(zip(names, range(len(names)), strict=True), path)
    pairs = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not is_number(fields[1]):
            raise DataError(f"{path}, line {number}", "must be `PHONE ID`", found=line[:80])
        pairs.append((normalize_name(fields[0]), int(fields[1])))
    ids = [i for _, i in pairs]
    if not pairs or len(set(ids)) != len(ids):
        repeated = sorted({i for i in ids if ids.count(i) > 1})[:5]
        raise DataError(path, "must list each id exactly once", found=repeated)
    return PhoneSet.from_pairs(pairs, path)


def name_classes(file: FilePath | None, num_classes: int) -> PhoneSet:
    """Return the phones that a file lists, or numbers where there is none.

    Raises:
        DataError: the file names fewer phones than there are classes.
    """
    if file is None:
        return PhoneSet.numbered(num_classes)
    listed = read_phones(file)
    if len(listed) < num_classes:
        rule = f"must name all {num_classes} classes that occur in the labels"
        raise DataError(file, rule, found=len(listed))
    return listed


def read_lines(path: Path, fix: str) -> list[str]:
    """Return the lines of a list of utterances; `fix` is for the error message.

    Raises:
        DataError: the file cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        rule = "must be a list of utterances in UTF-8"
        raise DataError(path, rule, fix="Save it as UTF-8.") from None
    except OSError as error:
        rule = f"must be a readable list of utterances ({error.strerror})"
        raise DataError(path, rule, fix=fix) from None
