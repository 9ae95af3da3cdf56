"""Where a sweep keeps its study, and the file in its folder that says what it was."""

import os
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from hydra_plugins.framesweep_sweeper._credentials import hide_credentials
from hydra_plugins.framesweep_sweeper._hydra import MULTIRUN
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.search._study_identity import derive_name
from hydra_plugins.framesweep_sweeper.storage._storage import make_absolute

OWN_DATABASE = "study.db"
OWN_STORAGE = f"sqlite:///{OWN_DATABASE}"
"""The file in the folder of a sweep that is given no storage, and that storage."""


def locate_storage(storage: str | None, space: SearchSpace, config: DictConfig) -> str:
    """Return the absolute URL of the study's storage, or the path of a journal.

    Without a storage, hydra-optuna-sweeper keeps a study in memory, which the processes of
    several jobs cannot share. It is a file in the folder of the sweep here: another folder, as
    Hydra chooses for each command by default, is another study.

    Args:
        storage: `hydra.sweeper.storage`.
        space: the search space, from which the study's name may follow.
        config: the config of the sweep; what was found is written into it.
    """
    if storage is not None:
        return make_absolute(storage, config.hydra.runtime.cwd)
    # The folder may contain the name.
    set_sweeper(config, "study_name", config.hydra.sweeper.study_name or derive_name(space))
    folder = Path(config.hydra.runtime.cwd, config.hydra.sweep.dir)
    url = make_absolute(OWN_STORAGE, folder)
    set_sweeper(config, "storage", url)
    return url


def set_sweeper(config: DictConfig, key: str, value: str) -> None:
    """Set a key of the sweeper in the config of a sweep, and in those composed for its jobs.

    Hydra requires the config of each job to have the same sweeper.
    """
    # Quoted, because a name such as 1.10 or null is otherwise parsed as a number or as null.
    quoted = QuotedString(value, Quote.single).with_quotes()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweeper[key] = value
        config.hydra.overrides.hydra.append(f"hydra.sweeper.{key}={quoted}")


def write_multirun(config: DictConfig) -> None:
    """Write the config of the sweep into its folder, as Hydra's own sweeper does.

    Logins in URLs are left out.
    """
    path = Path(config.hydra.sweep.dir, MULTIRUN)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Replaced in one step, since another sweeper of the study may write at the same moment.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(hide_credentials(OmegaConf.to_yaml(config)), encoding="utf-8")
    temporary.replace(path)
