"""Composes the configs of `cases` and writes them to a file: `make gpu-configs`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from framesweep.bench.gpu.cases import CONFIGS, DETERMINISTIC, MODELS, VARIANTS
from framesweep.config.composition import compose, register
from framesweep.config.plain import to_plain
from framesweep.system.atomic_files import write_text

COMMON = ("data=hw1p2", "tracking=none", "hardware=auto")

PLAIN = ("model=base", "optim=adam", "optim.schedule=constant", "optim.label_smoothing=0.0")
"""Before the overrides of every config but recipes: the plainest step, to which others add."""


def list_overrides() -> dict[str, tuple[str, ...]]:
    """Return the overrides of every config by its name."""
    exact = {f"{name}, exact": (*chosen, *DETERMINISTIC) for name, chosen in MODELS.items()}
    return {**MODELS, **exact, **VARIANTS}


def render_configs(overrides: Mapping[str, Sequence[str]]) -> str:
    """Return the JSON of some configs, one per line."""
    register()
    lines = []
    for name, chosen in overrides.items():
        plain = () if any(c.startswith("recipe=") for c in chosen) else PLAIN
        config = replace(compose([*COMMON, *plain, *chosen]), outputs=".")
        lines.append(f"{json.dumps(name)}: {json.dumps(to_plain(config))}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    write_text(CONFIGS, render_configs(list_overrides()))
