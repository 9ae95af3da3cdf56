"""Training and sweeps of frame-level phone classifiers, configured with Hydra."""

import logging
import os

from framesweep import earlier_names

# Torch reads this variable at its first allocation and then puts large tensors in huge pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# On its first import on a machine it logs that it "generated new fontManager", which means
# nothing to whoever trains a network.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

__version__ = "0.1.0"

earlier_names.install()
