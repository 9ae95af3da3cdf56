"""Where jobs run: in local worker processes, or wherever another Hydra launcher puts them."""

from hydra_plugins.framesweep_sweeper.workers._devices import VISIBLE, read_visible

__all__ = ["VISIBLE", "read_visible"]
