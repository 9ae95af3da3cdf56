"""Where jobs run: in local worker processes, or wherever another Hydra launcher puts them."""

from hydra_plugins.framesweep_sweeper.workers._cores import count_cores
from hydra_plugins.framesweep_sweeper.workers._devices import VISIBLE, read_visible

__all__ = ["VISIBLE", "count_cores", "read_visible"]
