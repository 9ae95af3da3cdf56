"""The searches that are compared, each as overrides of the command that starts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from framesweep.bench.search.table import RecordedTable
from hydra_plugins.framesweep_sweeper import SweepError
from hydra_plugins.framesweep_sweeper._pruner_schemas import PRUNERS
from hydra_plugins.framesweep_sweeper.search._samplers import build_sampler
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space

SHIPPED = "framesweep"
RANDOM = "random"


@dataclass(frozen=True)
class Contender:
    """A search with framesweep's sweeper.

    Attributes:
        name: its name in tables.
        sampler, pruner: their configs, as plain dicts.
        as_intervals: whether continuous keys are searched as intervals.
    """

    name: str
    sampler: dict[str, Any]
    pruner: dict[str, Any]
    as_intervals: bool = True

    @property
    def is_slow(self) -> bool:
        """Whether choosing a point takes so long that fewer seeds must do."""
        return bool(self.sampler["_target_"].endswith(("GPSampler", "GridSampler")))


SAMPLERS = (
    *("prior_tpe", "multivariate_tpe", "tpe", "gp", "cmaes", "nsgaii", "nsgaiii", "qmc"),
    "grid",
)
NEEDED = {"threshold": ("hydra.sweeper.pruner.lower=0.4",)}
"""Settings without which an option cannot be used."""


def list_contenders(
    samplers: Sequence[str] = SAMPLERS, pruners: Sequence[str] = tuple(PRUNERS)
) -> list[Contender]:
    """Return the sweep as shipped, random search, and one search per sampler and pruner.

    A sampler is combined with the pruner of the sweep as shipped, and a pruner with its
    sampler.

    Args:
        samplers: options of `hydra/sweeper/sampler`, by default all that ship.
        pruners: options of `hydra/sweeper/pruner`, by default all that ship.
    """
    random = ("hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")
    return [
        build_contender(SHIPPED),
        build_contender(RANDOM, *random),
        *(build_contender(f"sampler={n}", f"hydra/sweeper/sampler={n}") for n in samplers),
        *(
            build_contender(f"pruner={n}", f"hydra/sweeper/pruner={n}", *NEEDED.get(n, ()))
            for n in pruners
        ),
    ]


def drop_unusable(
    contenders: Sequence[Contender], table: RecordedTable
) -> tuple[list[Contender], list[str]]:
    """Return the contenders whose samplers can be built, and why the others cannot.

    A package that a sampler needs may be missing.
    """
    usable, reasons = [], []
    for contender in contenders:
        space = read_space(table.list_sweeps(as_intervals=contender.as_intervals), [])
        try:
            build_sampler(OmegaConf.create(contender.sampler), space, 0)
        except SweepError as error:
            reasons.append(f"{contender.name} is left out: {error}")
        else:
            usable.append(contender)
    return usable, reasons


def build_contender(name: str, *overrides: str) -> Contender:
    """Return the contender that `sweep=bare` with these overrides starts."""
    from hydra import compose, initialize_config_dir

    from framesweep.config.composition import register
    from framesweep.config.groups import find_conf

    register()
    with initialize_config_dir(str(find_conf())):
        config = compose("config", ["sweep=bare", *overrides], return_hydra_config=True)
    # Interpolations such as that of the seed are resolved in the complete config.
    sweeper = config.hydra.sweeper
    sampler: Any = OmegaConf.to_container(sweeper.sampler, resolve=True)
    pruner: Any = OmegaConf.to_container(sweeper.pruner, resolve=True)
    is_grid = sampler["_target_"].endswith("GridSampler")
    return Contender(name, sampler, pruner, as_intervals=not is_grid)
