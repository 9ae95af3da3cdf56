"""Other owners of a directory, as if a second process had taken it."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from framesweep.system.locks.owner import OWNER_FILE
from hydra_plugins.framesweep_sweeper import Process


def write_owner(folder: Path, claim: int = 0, **changes: Any) -> None:
    """Write another process as the owner: one like this, except for these fields."""
    process = replace(Process.current(), **changes)
    record = {"token": "other", "process": process.dump(), "since": time.time(), "claim": claim}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OWNER_FILE).write_text(json.dumps(record))
