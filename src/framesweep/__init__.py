"""Configured experiments and sweeps for frame-level classification of speech."""

import os

from framesweep import earlier_names

# Read by torch when it first takes memory: large tensors then lie in large pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.1.0"

earlier_names.install()
