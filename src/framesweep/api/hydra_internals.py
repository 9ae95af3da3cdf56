"""What the Python interface uses of Hydra although Hydra does not promise to keep it.

A release of Hydra that moves or renames one of these requires a change here and nowhere else in
this package. The sweeper, which does not import framesweep, has `_hydra` for the same purpose.
"""

from hydra._internal.callbacks import Callbacks
from hydra._internal.execution_policy import (
    _get_active_execution_whitelist,
    execution_whitelist,
)
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.types import HydraContext

__all__ = [
    "Callbacks",
    "Hydra",
    "create_config_search_path",
    "create_context",
    "execution_whitelist",
]


def create_context(hydra: Hydra, callbacks: Callbacks) -> HydraContext:
    """Return the context of a sweep in which the targets that are allowed now stay allowed."""
    return HydraContext(
        config_loader=hydra.config_loader,
        callbacks=callbacks,
        execution_whitelist=_get_active_execution_whitelist(),
    )
