"""Selects the params of a run that are tracked: those that a person reads."""

from typing import Any

from framesweep.config.differences import changed_keys, option_names
from framesweep.config.plain import flatten
from framesweep.runs.experiment import Experiment
from framesweep.sweeps.context import SweepContext, list_choices

MAIN_GROUPS = ("data", "model", "optim", "augment", "recipe", "ablation")
"""Groups whose options are tracked as params of these names, unless nothing was chosen."""

MAIN_KEYS = (
    *("data.context", "model.dropout", "model.activation", "model.norm"),
    *("optim.lr", "optim.weight_decay", "optim.schedule"),
    *("train.epochs", "train.batch_size", "seed", "objective"),
)
"""Keys that are tracked even where they have their defaults, so that columns have no gaps."""


def select_params(experiment: Experiment, sweep: SweepContext) -> dict[str, Any]:
    """Return the params to track: swept, main and changed keys, and what is derived from them.

    The complete config has more than 80 keys, most of them with their defaults. It is an
    artifact of every run, `config.yaml`, and `framesweep compare` reads it there.
    """
    config, values = experiment.config, flatten(experiment.config)
    keys = {*MAIN_KEYS, *changed_keys(config), *sweep.swept}
    choices = {**_fallback_choices(experiment), **list_choices()}
    return {
        **{group: choices[group] for group in MAIN_GROUPS if group in choices},
        **{key: value for key, value in values.items() if key in keys},
        **derived_params(experiment),
    }


def derived_params(experiment: Experiment) -> dict[str, Any]:
    """Return what follows from the config, the data and the machine."""
    hardware = experiment.components.hardware
    return {
        "derived.widths": list(experiment.widths),
        "derived.num_params": experiment.num_params,
        "derived.device": str(hardware.device),
        "derived.precision": hardware.precision,
        "derived.processes": experiment.components.process_group.size,
    }


def _fallback_choices(experiment: Experiment) -> dict[str, str]:
    """Return the names of the options in use, for runs that Hydra has not started."""
    names = option_names(experiment.config)
    return {group: names[group] for group in MAIN_GROUPS if names.get(group, group) != group}
