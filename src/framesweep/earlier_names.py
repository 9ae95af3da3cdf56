"""Import paths of earlier versions that are still in use outside of this package.

Classes move when the package is restructured, but files that users keep go on naming them where
they were:

- A logged pyfunc model names its predictor. It brings the package's code of its time, which
  MLflow puts first on `sys.path`; in a process that has imported framesweep before, such as a
  notebook, the installed package nevertheless answers.
- A configuration file of the user's own, and the `multirun.yaml` of a grid, name the classes
  that follow a sweep as a `_target_`.

Checkpoints, studies and tracking databases store no import path.
"""

import pkgutil
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

EARLIER_NAMES: dict[str, dict[str, str]] = {
    "framesweep.prediction": {"Predictor": "framesweep.evaluation.predictor:Predictor"},
    "framesweep.sweeps.grid": {"GridParent": "framesweep.sweeps.grid_parent:GridParent"},
    "framesweep.sweeps.listener": {
        "SweepListener": "framesweep.sweeps.search_parent:SearchParent"
    },
}
"""Earlier module -> name in it -> where the same object is now."""


class EarlierModules(MetaPathFinder, Loader):
    """Imports the modules in EARLIER_NAMES, each of which holds only the names listed there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for an earlier module, and None for any other."""
        return ModuleSpec(fullname, self) if fullname in EARLIER_NAMES else None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names; what they refer to is imported here, not before."""
        for name, current in EARLIER_NAMES[module.__name__].items():
            setattr(module, name, pkgutil.resolve_name(current))


def install() -> None:
    """Let earlier names be imported where no module of that name exists."""
    if not any(isinstance(finder, EarlierModules) for finder in sys.meta_path):
        sys.meta_path.append(EarlierModules())
