"""Reads the order of HW1P2's test utterances."""

import csv
import io

from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.npy_zip import ZIP_ERRORS
from framesweep.data.readers.source_files import FilePath
from framesweep.errors import DataError


def reorder(files: dict[str, FilePath], order: FilePath) -> dict[str, FilePath]:
    """Return `files` in the order of a CSV file.

    Args:
        files: paths by file name.
        order: the CSV file; its column `file`, or its only column, lists all names, with or
            without `.npy`.
    """
    try:
        text = order.read_text(encoding="utf-8-sig")  # Excel adds the mark
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    except (UnicodeDecodeError, csv.Error, *ZIP_ERRORS) as error:
        raise DataError(order, f"must be a readable CSV file ({error})") from None
    if "file" not in header and len(header) != 1:
        raise DataError(order, "must have a column `file`", found=header[:5])
    column = header.index("file") if "file" in header else 0
    names = [normalize_name(row[column].strip()) if len(row) > column else "" for row in rows]
    names = [name if name.endswith(".npy") else f"{name}.npy" for name in names]
    if len(set(names)) != len(names):
        raise DataError(order, "must list each file once")
    if unknown := [name for name in names if name not in files]:
        raise DataError(order, "must list files of the test partition only", found=unknown[:3])
    if unlisted := sorted(files.keys() - set(names)):
        raise DataError(
            order,
            "must list every file of the test partition",
            found=(f"{len(unlisted)} missing: {', '.join(unlisted[:3])}"),
        )
    return {name: files[name] for name in names}
