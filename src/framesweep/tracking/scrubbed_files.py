"""Copies of files without the credentials in them, for upload."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from framesweep.credentials import scrub

TEXT_SUFFIXES = {".yaml", ".yml", ".json", ".csv", ".txt", ".log", ".md"}
MAX_TEXT_BYTES = 10_000_000


@contextlib.contextmanager
def without_credentials(path: Path) -> Iterator[Path]:
    """Yield `path`, a file or a folder, or a temporary copy of it without credentials.

    The copy has the same name. It is made only if a text file contains credentials, since a
    folder may hold large checkpoints.
    """
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    scrubbed = {p: text for p in files if (text := _scrub_file(p)) is not None}
    if not scrubbed:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if path.is_dir():
            shutil.copytree(path, copy)
        for original, text in scrubbed.items():
            target = copy / original.relative_to(path) if path.is_dir() else copy
            target.write_text(text, encoding="utf-8")
        yield copy


def _scrub_file(path: Path) -> str | None:
    """Return the text without its credentials; None for a file that can stay as it is."""
    if path.suffix not in TEXT_SUFFIXES or path.stat().st_size > MAX_TEXT_BYTES:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    scrubbed = scrub(text)
    return scrubbed if scrubbed != text else None
