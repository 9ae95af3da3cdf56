"""The Python interface: what `import framesweep` offers, in scripts and in notebooks.

The package `framesweep` re-exports all of it, and imports it when it is first used.
"""

from framesweep.api.composing import compose
from framesweep.api.result import Result, load
from framesweep.api.sweeping import Sweep, sweep
from framesweep.api.training import train
from framesweep.errors import FramesweepError
from framesweep.runs.reporting.run_table import tabulate_runs as runs

__all__ = ["FramesweepError", "Result", "Sweep", "compose", "load", "runs", "sweep", "train"]
