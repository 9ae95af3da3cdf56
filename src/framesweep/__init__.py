"""Training and sweeps of frame-level phone classifiers, configured with Hydra.

    import framesweep as fs

    result = fs.train(["model=wide", "data.context=15"])
    result.metrics["dev/accuracy"]

docs/python.md describes `train`, `sweep`, `load`, `runs` and `compose`.
"""

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

from framesweep import earlier_names

if TYPE_CHECKING:
    from framesweep.api import FramesweepError, Result, Sweep, compose, load, runs, sweep, train

__all__ = ["FramesweepError", "Result", "Sweep", "compose", "load", "runs", "sweep", "train"]

# Torch reads this variable at its first allocation and then puts large tensors in huge pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# How often a thread of GNU OpenMP looks whether the others have arrived, before it sleeps. The
# default of 300,000 takes milliseconds, in which the thread that it waits for, or another
# program, may lack a core. The library reads this variable when torch loads it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# On its first import on a machine it logs that it "generated new fontManager", which means
# nothing to whoever trains a network.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

__version__ = "0.1.0"

earlier_names.install()


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first used: torch and Hydra take seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "runs":  # which is also a package, and the package is what has to be found here
        return importlib.import_module("framesweep.runs")
    return getattr(importlib.import_module("framesweep.api"), name)


def __dir__() -> list[str]:
    return __all__
