"""The files a corpus is read from: its root, their stamps, and its list of phones."""

from collections.abc import Iterable
from pathlib import Path

from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError


def open_root(root: str | None) -> Path:
    """The folder that data.root names; raises ConfigError or DataError where it is none."""
    if not root:
        raise ConfigError("data.root", "must name the corpus's folder", fix="data.root=FOLDER")
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise DataError("data.root", "must be a folder that exists", found=str(folder))
    return folder


def inside(root: Path, name: str, key: str) -> Path:
    """`name` under `root`; raises ConfigError where the config key `key` leads out of it."""
    path = Path(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise ConfigError(key, "must be a name inside data.root", found=name)
    return root / path


def stamps(files: Iterable[Path | None]) -> dict[str, tuple[int, int]]:
    """Size in bytes and modification time in ns of each file, by its path."""
    found = {}
    for file in files:
        if file is not None:
            status = file.stat()
            found[str(file)] = (status.st_size, status.st_mtime_ns)
    return found


def check_share(key: str, share: float) -> None:
    """Raises ConfigError where the share that `key` sets is not from 0 to 1."""
    if not 0 <= share <= 1:
        raise ConfigError(key, "must be from 0 to 1", found=share)


def find_phones(root: Path, phones: str | None) -> Path | None:
    """The file that data.phones names, else phonemes.txt under `root`, else None."""
    path = Path(phones).expanduser() if phones is not None else root / "phonemes.txt"
    if path.is_file():
        return path
    if phones is not None:
        raise DataError("data.phones", "must be a file that exists", found=phones)
    return None


def read_phones(path: Path) -> PhoneSet:
    """The phones in a file of `PHONE id` lines in any order, ids running 0, 1, 2, ..., or of
    one phone a line in order."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"must be a readable text file ({error})") from None
    if any(lines) and all(len(line.split()) <= 1 for line in lines):
        return PhoneSet(tuple(line.strip() for line in lines if line.strip()))
    pairs = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not (fields[1].isascii() and fields[1].isdigit()):
            raise DataError(f"{path}, line {number}", "must be `PHONE id`", found=line[:80])
        pairs.append((fields[0], int(fields[1])))
    ids = [i for _, i in pairs]
    if not pairs or len(set(ids)) != len(ids):
        twice = sorted({i for i in ids if ids.count(i) > 1})[:5]
        raise DataError(path, "must list each id once", found=twice)
    return PhoneSet.from_pairs(pairs, path)
