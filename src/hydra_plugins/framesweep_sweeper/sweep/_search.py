"""What a command searches, checked before its study is opened."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._renamed_keys import read_spaces
from hydra_plugins.framesweep_sweeper.search._samplers import (
    build_pruner,
    build_sampler,
    count_grid_points,
)
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.storage._storage import open_existing
from hydra_plugins.framesweep_sweeper.sweep._listener import Listener, prepare_trials
from hydra_plugins.framesweep_sweeper.sweep._settings import (
    load_custom_search_space,
    to_plain_dict,
)
from hydra_plugins.framesweep_sweeper.sweep._start import Start
from hydra_plugins.framesweep_sweeper.sweep._study import find_resumed
from hydra_plugins.framesweep_sweeper.sweep._value_check import (
    check_conditions,
    check_values,
)
from hydra_plugins.framesweep_sweeper.sweep.preview._search import SearchPreview
from hydra_plugins.framesweep_sweeper.sweep.preview._text import (
    Previewer,
    build_previewer,
    print_preview,
)
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED
from hydra_plugins.framesweep_sweeper.trials._constraints import Constraint, read_constraints
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import DUPLICATE_OF
from hydra_plugins.framesweep_sweeper.workers._devices import WorkerPlan
from hydra_plugins.framesweep_sweeper.workers._launchers import uses_local_workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """What a command searches, before its study is opened.

    Attributes:
        spaces: the search space, under the present and under earlier names of its keys.
        sampler: a sampler of the space.
        total: the number of trials that the study shall have.
        custom: the function that suggests further parameters, or None.
    """

    spaces: list[SearchSpace]
    sampler: BaseSampler
    total: int
    custom: Callable[[DictConfig, Any], Any] | None

    @property
    def num_points(self) -> float:
        """The number of points of the space; infinity if it is continuous or not known."""
        return math.inf if self.custom is not None else self.spaces[0].num_points


def read_search(settings: dict[str, Any], arguments: list[str]) -> Search:
    """Return what the settings and the command line ask for.

    Raises:
        SweepError: the space, the sampler, the pruner or the custom search space is wrong.
    """
    params, renamed = to_plain_dict(settings["params"]), settings["renamed_keys"]
    spaces = read_spaces(params, arguments, renamed)
    for line in spaces[0].list_unreachable():
        log.warning("%s", line)
    sampler = build_sampler(settings["sampler"], spaces[0], 0)
    build_pruner(to_plain_dict(settings["pruner"]))  # which refuses wrong arguments
    total = int(min(settings["n_trials"], count_grid_points(sampler, spaces[0])))
    custom = load_custom_search_space(settings)
    _require_space(spaces[0], repeats=custom is not None or settings["repeat_duplicates"])
    return Search(spaces, sampler, total, custom)


def print_search_preview(
    settings: dict[str, Any],
    search: Search,
    url: str,
    find_start: Callable[[BaseStorage, SearchSpace], Start],
    plan: WorkerPlan,
    hydra_context: HydraContext,
    config: DictConfig,
) -> None:
    """Print what the search would run.

    Raises:
        SweepError: a condition, a constraint, or a name in `start_from`, is wrong.
    """
    constraints, previewer = read_point_constraints(settings)
    storage = open_existing(url, settings["heartbeat"])
    name = find_resumed(settings, storage, search.spaces)
    if name is None:
        check_conditions(search.spaces[0], config)
    start = find_start(storage, search.spaces[0])
    preview = SearchPreview(
        search.spaces[0],
        hydra_context,
        config,
        search.custom,
        search.sampler,
        previewer or build_previewer(settings["previewer"]),
        constraints,
    )
    num_points = math.inf if settings["repeat_duplicates"] else search.num_points
    notes = [line for lines in start.notes.values() for line in lines]
    done = [] if name is None else _list_ended(storage, name)
    if done:
        num_done = min(len(done), search.total)
        notes = [f"study {name}: {num_done} of {search.total} trials are done", *notes]
    left = max(0, search.total - len(done))
    points_left = max(0, num_points - sum(DUPLICATE_OF not in t.user_attrs for t in done))
    print_preview(preview.describe(left, points_left, plan.n_jobs, notes))


def _list_ended(storage: BaseStorage, name: str) -> list[FrozenTrial]:
    study = optuna.load_study(study_name=name, storage=storage)
    return study.get_trials(deepcopy=False, states=ENDED)


def prepare_search(
    settings: dict[str, Any],
    search: Search,
    url: str,
    find_start: Callable[[BaseStorage, SearchSpace], Start],
    listener: Listener,
    hydra_context: HydraContext,
    config: DictConfig,
) -> None:
    """Check conditions and values, and let the listener prepare what the trials need.

    Raises:
        SweepError: the key of a condition does not exist, or a name in `start_from` is wrong.
        Exception: whatever `check_values` or the listener raises.
    """
    space = search.spaces[0]
    storage = open_existing(url, settings["heartbeat"])
    # Those of a study that exists have been checked.
    if find_resumed(settings, storage, search.spaces) is None:
        check_conditions(space, config)
        check_values(hydra_context, config, listener, space, search.custom)
    find_start(storage, space)  # an unknown name is an error before a long preparation
    if uses_local_workers(config) and search.custom is None:  # which may suggest any key
        prepare_trials(listener, config, [d.key for d in space.dimensions])


def read_point_constraints(
    settings: dict[str, Any],
) -> tuple[tuple[Constraint, ...], Previewer | None]:
    """Return the constraints, and what knows metrics of a job before it is run.

    Raises:
        SweepError: a bound is wrong. Whatever knows the metrics raises errors of its own.
    """
    constraints = read_constraints(settings["constraints"])
    previewer = build_previewer(settings["previewer"]) if constraints else None
    require: Callable[[str], None] | None = getattr(previewer, "require_metric", None)
    if require is not None:
        for constraint in constraints:
            require(constraint.metric)
    return constraints, previewer


def _require_space(space: SearchSpace, *, repeats: bool) -> None:
    """Raise SweepError if every trial would be the same, unless that is what is asked for."""
    if not space.searched and not repeats:
        raise SweepError(
            "hydra.sweeper.params: must have a key to search, or all trials would be the same; "
            "found none. Type a sweep of a key, as 'optim.lr=interval(0.001,0.01)'"
        )
