"""The mirrors by name, and whether the packages that they need are installed."""

import importlib.util
from collections.abc import Iterable

from framesweep.errors import ConfigError

MIRRORS = {
    "wandb": "framesweep.tracking.mirrors.wandb_mirror:WandbMirror",
    "tensorboard": "framesweep.tracking.mirrors.tensorboard_mirror:TensorBoardMirror",
}
"""What `tracking.also` may name, which is also the name of a package and of our extra."""


def require_packages(names: Iterable[str]) -> None:
    """Check that the package of each mirror is installed, without importing it.

    Raises:
        ConfigError: one is not; the line says how to install it.
    """
    for name in names:
        if not _is_installed(name):
            raise ConfigError(
                "tracking.also",
                f"must name packages that are installed; {name} is not",
                fix=f"pip install 'framesweep[{name}]'",
            )


def _is_installed(package: str) -> bool:
    """Return whether Python would import a package, and not a mere folder, of this name.

    W&B writes into a folder called `wandb`; in the working directory, it would be imported as
    an empty namespace package.
    """
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None
