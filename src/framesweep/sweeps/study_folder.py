"""Ensures that each study has its folder to itself."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.config.shell_words import WINDOWS
from framesweep.errors import ConfigError
from framesweep.system.atomic_files import write_text

if TYPE_CHECKING:
    from optuna.study import Study

UID_ATTR, UID_FILE = "uid", ".study"
"""Attribute of a study, and file in its folder, that hold the same random id.

The name does not identify a study: it is free again once the study has been deleted.
"""

MAX_NAME_BYTES = 200
"""Longest name of a study; file systems allow 255 bytes, of which temporary names need some."""


WINDOWS_FORBIDDEN = {*'\\:*?"<>|'}
"""Characters that Windows does not allow in the names of files."""


def require_folder_name(name: str, *, windows: bool = WINDOWS) -> None:
    """Raise ConfigError unless a study's name is also the name of a folder, and not a path.

    The trials of a study named `..` or `a/b` would be outside of the sweeps, or in the folder
    of another study. Windows refuses some more characters, and drops dots and spaces at the
    end.
    """
    is_path = name in ("", ".", "..") or "/" in name or "\0" in name
    is_refused = windows and (WINDOWS_FORBIDDEN & {*name} or name[-1:] in (".", " "))
    if is_path or is_refused or len(name.encode()) > MAX_NAME_BYTES:
        forbidden = f"/ {' '.join(sorted(WINDOWS_FORBIDDEN))}" if windows else "/"
        raise ConfigError(
            "hydra.sweeper.study_name",
            f"must be the name of a folder, without {forbidden} and of at most "
            f"{MAX_NAME_BYTES} bytes",
            found=name,
        )


def claim_folder(study: "Study", folder: Path) -> None:
    """Mark `folder` as the study's, unless it is already marked so.

    Trials are resumed from the checkpoints in their numbered folders. In the folder of a
    deleted study of the same name, a new study would resume trials that have other params.

    Only one process may call this at a time.

    Raises:
        ConfigError: the folder belongs to another study, such as one that was deleted or is
            kept in another storage.
    """
    path = folder / UID_FILE
    uid = study.user_attrs.get(UID_ATTR)
    if path.exists():
        is_own = path.read_text(encoding="utf-8") == uid
    else:
        # Earlier versions wrote no mark. A study that has trials has created this folder.
        is_own = bool(study.get_trials(deepcopy=False)) or not _is_used(folder)
    if not is_own:
        raise ConfigError(
            "hydra.sweep.dir",
            f"must not be the folder of another study named {study.study_name}",
            found=str(folder),
            fix="Move that folder away, or choose another hydra.sweeper.study_name.",
        )
    if not path.exists():
        # The study is marked before the folder. If the process is killed in between, the next
        # call writes the same id; the other way round, the folder would be a stranger's.
        if uid is None:
            uid = uuid.uuid4().hex
            study.set_user_attr(UID_ATTR, uid)
        write_text(path, uid)


def _is_used(folder: Path) -> bool:
    """Return whether the folder contains anything but lock files and the study itself.

    SQLite and the lock of the study append their suffixes to the name of its database.
    """
    from hydra_plugins.framesweep_sweeper.sweep._places import OWN_DATABASE

    return any(not path.name.startswith((".", OWN_DATABASE)) for path in folder.iterdir())
