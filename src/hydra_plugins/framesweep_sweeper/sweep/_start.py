"""Known points, which a study tries first, and known results, from which its sampler learns.

`hydra.sweeper.start_from` names them: `defaults` is the config without the sweep, the name of a
study in the same storage is its best trial, and the application may know further names. The
trials of a study also become the sampler's history if they are points of this search, with the
same fixed values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.samplers import BaseSampler, GridSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import find_alias, instantiate_own
from hydra_plugins.framesweep_sweeper.search._history import select_history
from hydra_plugins.framesweep_sweeper.search._known_points import ABSENT, look_up, match_point
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, strip_affixes
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    EXTENDS,
    FIXED,
    list_extended,
    parse_fixed,
    read_identity,
)

DEFAULTS = "defaults"
STARTED_FROM = "started_from"
"""User attribute of a study: the names whose points have been enqueued."""
HISTORY = "history_of"
"""User attribute of a study: the studies from whose trials the sampler learns."""
FRONT = 5
"""Number of trials of a Pareto front that are enqueued."""


class PointFinder(Protocol):
    """Knows the points that an application has names for."""

    def find(self, name: str, config: DictConfig) -> list[str] | Mapping[str, Any] | None:
        """Return the overrides or the values of a point, or None for an unknown name."""
        ...


@dataclass
class Start:
    """What a study starts from.

    Attributes:
        points: name -> the points that are enqueued under it.
        studies: the names of studies whose trials may become the sampler's history.
        notes: name -> lines for the user.
        key, new_key: the keys that name them and start a new study; perhaps aliases.
    """

    points: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    studies: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    key: str = "hydra.sweeper.start_from"
    new_key: str = "hydra.sweeper.new"


def find_start(
    settings: Mapping[str, Any],
    hydra_context: HydraContext,
    config: DictConfig,
    sampler: BaseSampler,
    storage: BaseStorage,
    space: SearchSpace,
) -> Start:
    """Look up the names in `start_from`; nothing is written.

    Args:
        settings: the settings of `hydra.sweeper`.
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        sampler: the sampler of the search.
        storage: the storage of the studies.
        space: the search space.

    Raises:
        SweepError: a name is unknown, or none of a point's values is in the space.
    """
    key, names = find_alias(config, "start_from"), [str(n) for n in settings["start_from"]]
    start = Start(key=key, new_key=find_alias(config, "new"))
    if names and isinstance(sampler, GridSampler):
        raise SweepError(
            f"{key}: must be empty with a grid, which visits every point; found {names}"
        )
    finder: PointFinder | None = instantiate_own(settings["point_finder"])
    studies = set(optuna.get_all_study_names(storage)) if names else set()
    for name in names:
        if name in studies:
            start.studies.append(name)
            points = _read_best(optuna.load_study(study_name=name, storage=storage), key)
        else:
            points = [find_values(name, finder, space, hydra_context, config)]
        matched = [match_point(space, look_up(point)) for point in points]
        start.points[name] = [inside for inside, _ in matched if inside]
        if not start.points[name]:
            raise SweepError(_explain_mismatch(key, name, space, [o for _, o in matched]))
        start.notes[name] = [_describe(name, inside, outside) for inside, outside in matched]
    return start


def begin_study(
    study: Study, space: SearchSpace, start: Start
) -> tuple[list[FrozenTrial], list[str]]:
    """Enqueue the points that have not been enqueued before.

    The caller holds the lock of the storage.

    Returns:
        The history of the sampler, and lines for the user.

    Raises:
        SweepError: the study is to start from itself.
    """
    if study.study_name in start.studies:
        raise SweepError(
            f"{start.key}: must not name the study that this command continues; found "
            f"{study.study_name}. Give {start.new_key}=true or another hydra.sweeper.study_name"
        )
    _add_extended(start, study, space)
    enqueued: list[str] = study.user_attrs.get(STARTED_FROM, [])
    earlier: list[str] = study.user_attrs.get(HISTORY, [])
    names = list(dict.fromkeys([*earlier, *start.studies]))
    added = [name for name in start.points if name not in enqueued]
    for name in added:
        for point in start.points[name]:
            study.enqueue_trial(point, skip_if_exists=True)
    if added:
        study.set_user_attr(STARTED_FROM, [*enqueued, *added])
        study.set_user_attr(HISTORY, names)
    history = [trial for name in names for trial in _read_history(study, name, space)]
    notes = [line for name in added for line in start.notes[name]]
    if history:
        notes.append(f"the sampler learns from {len(history)} trials of {', '.join(names)}")
    return history, notes


def _add_extended(start: Start, study: Study, space: SearchSpace) -> None:
    """Let a study that extends others start from the best trial of the latest, and from all."""
    for source in list_extended(study):
        is_latest = not start.points.keys() & {source.study_name, *start.studies}
        start.studies.append(source.study_name)
        if source.study_name in start.points or not is_latest:
            continue
        record = study.user_attrs[EXTENDS]
        changes = [f"{key} from {old} to {new}" for key, old, new in record["changes"]]
        line = f"extends study {source.study_name}: {', '.join(changes)}"
        matched = [match_point(space, look_up(point))[0] for point in _list_best(source)]
        start.points[source.study_name] = [point for point in matched if point]
        start.notes[source.study_name] = [line]


def _read_history(study: Study, name: str, space: SearchSpace) -> list[FrozenTrial]:
    storage = study._storage
    if name not in optuna.get_all_study_names(storage):
        return []  # it has been deleted
    source = optuna.load_study(study_name=name, storage=storage)
    identity = read_identity(storage, name)
    fixed = study.user_attrs.get(FIXED)
    if identity is None or identity.fixed != fixed or source.directions != study.directions:
        return []
    return select_history(source, space)


def _read_best(study: Study, key: str) -> list[dict[str, Any]]:
    """Return what `_list_best` returns, which must not be empty; `key` names the study."""
    if best := _list_best(study):
        return best
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    trial = "trial that satisfies their constraints" if done else "finished trial"
    raise SweepError(f"{key}: must name studies with a {trial}; found {study.study_name}")


def _list_best(study: Study) -> list[dict[str, Any]]:
    """Return the params of the best trial, or of the beginning of the Pareto front.

    A trial that violates a constraint is never among them.
    """
    fixed = parse_fixed(study)
    return [
        fixed | {strip_affixes(key): value for key, value in trial.params.items()}
        for trial in study.best_trials[:FRONT]
    ]


def find_values(
    name: str,
    finder: PointFinder | None,
    space: SearchSpace,
    hydra_context: HydraContext,
    config: DictConfig,
) -> dict[str, Any]:
    """Return the values of a point that `start_from` names, ABSENT for keys that it lacks.

    Raises:
        SweepError: the name is unknown.
    """
    found = [] if name == DEFAULTS else finder.find(name, config) if finder else None
    if found is None:
        raise SweepError(
            f"{find_alias(config, 'start_from')}: must be {DEFAULTS} or the name of a study"
            f"{', a recipe or a run' if finder else ''}; found {name}"
        )
    if isinstance(found, Mapping):
        return dict(found)
    replaced = {override.partition("=")[0] for override in found}
    fixed = [f"{key}={value}" for key, value in space.fixed.items() if key not in replaced]
    composed = hydra_context.config_loader.load_sweep_config(
        config, [*fixed, *space.deletions, *found]
    )
    return {d.key: _select(composed, d.key) for d in space.sampled}


def _select(config: DictConfig, key: str) -> Any:
    bare = strip_affixes(key)
    choices = config.hydra.runtime.choices
    value = choices[bare] if bare in choices else OmegaConf.select(config, bare, default=ABSENT)
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _describe(name: str, inside: Mapping[str, Any], outside: Mapping[str, Any]) -> str:
    line = f"start from {name}: {_write(inside)}"
    return f"{line} (outside of the space: {_write(outside)})" if outside else line


def _explain_mismatch(
    key: str, name: str, space: SearchSpace, outside: Sequence[Mapping[str, Any]]
) -> str:
    searched = ", ".join(d.key for d in space.sampled)
    found = f"{name} with {_write(outside[0])}" if outside and outside[0] else name
    return f"{key}: must have a value of {searched} in the space; found {found}"


def _write(values: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
