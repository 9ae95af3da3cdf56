"""The files in a run's tracking folder that say which MLflow run it is, and its status."""

import json
from pathlib import Path

from framesweep.errors import TrackingError
from framesweep.system.atomic_files import write_text
from framesweep.system.checksums import checksum

RUN_FILE = "run.json"
"""Name of the file in a run's tracking folder with its MLflow id, key and tracking URI."""

STATUS_FILE = "status.json"
"""Name of the file with the status that the last process to resume the run has given it."""


def write_run_file(directory: Path, run_info: dict[str, str]) -> None:
    """Write `run.json` into a tracking folder: the key, the run's id and the tracking URI."""
    content = {**run_info, "checksum": _checksum(run_info)}
    write_text(directory / RUN_FILE, json.dumps(content))


def read_run_file(directory: Path) -> dict[str, str]:
    """Return the content of `run.json` in a tracking folder; an empty dict without one.

    Raises:
        TrackingError: the file is damaged. Taken for missing, it would make a second MLflow run
            of the same training.
    """
    path = directory / RUN_FILE
    try:
        content: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        # The URI may be edited by hand, when a server has moved.
        is_intact = content.pop("checksum", None) in (None, _checksum(content))
        is_intact &= bool(content["run_id"]) and content.keys() == {"key", "run_id", "uri"}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        is_intact = False
    if not is_intact:
        raise TrackingError(
            path,
            "must name the MLflow run of this directory, but the file is damaged",
            fix=f"Delete {directory} to track it as a new run.",
        )
    return content


def write_status(directory: Path, status: str, time: int) -> None:
    """Write the status that a resumed run has now, and since when in milliseconds (Unix time).

    Raises:
        OSError: the file cannot be written.
        OwnershipLostError: another process has taken over the run.
    """
    content = {"status": status, "time": time}
    content["checksum"] = checksum(f"{status} {time}".encode())
    write_text(directory / STATUS_FILE, json.dumps(content))


def read_status(directory: Path) -> tuple[str, int] | None:
    """Return what `write_status` wrote last; None if that is damaged, or was never called."""
    try:
        content = json.loads((directory / STATUS_FILE).read_text(encoding="utf-8"))
        status, time = str(content["status"]), int(content["time"])
        is_intact = content["checksum"] == checksum(f"{status} {time}".encode())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (status, time) if is_intact else None


def _checksum(run_info: dict[str, str]) -> str:
    return checksum(f"{run_info['key']} {run_info['run_id']}".encode())
