"""Opening the study of a command, or creating it."""

from dataclasses import replace
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.storages import BaseStorage
from optuna.study import Study

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import find_alias
from hydra_plugins.framesweep_sweeper.search._samplers import build_pruner
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    CONSTRAINTS_KEY,
    StudyIdentity,
    build_identity,
    choose_extension,
    choose_name,
    create_study_if_missing,
    derive_name,
    find_study,
    record_extension,
)
from hydra_plugins.framesweep_sweeper.sweep._places import set_sweeper
from hydra_plugins.framesweep_sweeper.sweep._settings import read_directions, to_plain_dict
from hydra_plugins.framesweep_sweeper.trials._constraints import read_constraints


def open_study(
    settings: dict[str, Any], storage: BaseStorage, space: SearchSpace, config: DictConfig
) -> Study:
    """Return the study that a command resumes or creates.

    Its name is written into `config`, since the directories of the jobs follow from it.

    Args:
        settings: the settings of `hydra.sweeper`.
        storage: the storage of the studies.
        space: the search space of the command.
        config: the config that Hydra composed for the sweep; it is changed.

    Raises:
        SweepError: the command contradicts the study of that name.
    """
    pruner = build_pruner(to_plain_dict(settings["pruner"]))
    identity = _identify(settings, space)
    given, earlier = settings["study_name"], None
    try:
        if settings["extend"] and not settings["new"]:
            base = given or derive_name(space)
            name, earlier = choose_extension(storage, identity, base)
        else:
            name = choose_name(storage, identity, given, derive_name(space), settings["new"])
    except SweepError as error:
        fix = f"Give {find_alias(config, 'new')}=true or another hydra.sweeper.study_name"
        extend = f"{find_alias(config, 'extend')}=true to continue with what is new"
        raise SweepError(f"{error}\n{fix} to start a new study, or {extend}") from None
    create_study_if_missing(storage, name, identity)
    if earlier is not None:
        record_extension(storage, name, earlier)
    set_sweeper(config, "study_name", name)
    return optuna.load_study(study_name=name, storage=storage, pruner=pruner)


def find_resumed(
    settings: dict[str, Any], storage: BaseStorage, spaces: list[SearchSpace]
) -> str | None:
    """Return the name of the study that a command continues; None if it begins one."""
    names = (_find_name(settings, storage, space) for space in spaces)
    return next((name for name in names if name is not None), None)


def select_space(
    settings: dict[str, Any], storage: BaseStorage, spaces: list[SearchSpace]
) -> SearchSpace:
    """Return the first of `spaces` that a study to be resumed searches, or else the first."""
    found = (s for s in spaces if _find_name(settings, storage, s) is not None)
    return next(found, spaces[0])


def _find_name(
    settings: dict[str, Any], storage: BaseStorage, space: SearchSpace
) -> str | None:
    if settings["new"]:
        return None
    identity = _identify(settings, space)
    return find_study(storage, identity, settings["study_name"], derive_name(space))


def _identify(settings: dict[str, Any], space: SearchSpace) -> StudyIdentity:
    directions = read_directions(settings["direction"])
    identity = build_identity(space, directions, list(settings["free_overrides"]))
    constraints = read_constraints(settings["constraints"])
    if not constraints:
        return identity
    # What was recorded under other bounds would mislead the sampler and the choice of the best.
    texts = ", ".join(sorted(map(str, constraints)))
    return replace(identity, fixed={**identity.fixed, CONSTRAINTS_KEY: texts})
