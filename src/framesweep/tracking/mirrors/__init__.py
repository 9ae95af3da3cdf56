"""Further trackers that receive what is logged to MLflow: Weights & Biases and TensorBoard.

Each mirror runs in a process of its own, which training feeds through a pipe and never waits
for. Whatever a mirror does (raise, hang, crash, wait for a server), training and MLflow do not
notice: its process ends or is ended, and one warning says so.
"""

from framesweep.tracking.mirrors.open import open_mirrors
from framesweep.tracking.mirrors.packages import require_packages

__all__ = ["open_mirrors", "require_packages"]
