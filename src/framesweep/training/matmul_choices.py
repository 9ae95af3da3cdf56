"""The implementations of matrix multiplication that a run uses, as part of its state.

Two implementations round differently. A run therefore keeps those with which it began, in its
checkpoints, so that it computes the same bits when it is resumed.
"""

import logging
from typing import Any

import torch
from torch import nn

from framesweep.kernels.backends import (
    TORCH,
    Backends,
    LinearCall,
    is_available,
    set_backends,
)
from framesweep.kernels.linear_calls import list_linear_calls
from framesweep.system.hardware import Hardware
from framesweep.system.matmul_choice import choose_backends

log = logging.getLogger(__name__)


class MatmulChoices:
    """Chooses the backends of a network's linear layers, sets, saves and restores them.

    Until something is chosen or restored, the layers use the defaults.

    Args:
        network: The network, on its device.
        batch_shape: The shape (N, D) of this process's part of a batch.
        hardware: The device and the precision; only CPUs have a choice.

    Attributes:
        layers: The backends that were set, by the names of the layers.
    """

    def __init__(
        self, network: nn.Module, batch_shape: tuple[int, int], hardware: Hardware
    ) -> None:
        self._network = network
        self._batch_shape = batch_shape
        self._hardware = hardware
        self._dtype = hardware.input_dtype
        # Torch.compile chooses by itself, and can't trace ours.
        self._is_fixed = hardware.device.type != "cpu" or hardware.compile
        self.layers: dict[str, Backends] = {}

    def choose(self) -> dict[str, Any]:
        """Return the fastest choice on this machine, in the form of `state_dict`.

        Raises:
            ConfigError: The environment names an implementation that does not exist here.
        """
        if self._is_fixed:
            return self._build_state({})
        return self._build_state(choose_backends(self.list_calls(), self._dtype))

    def list_calls(self) -> list[LinearCall]:
        """Return the uses of linear layers in a training step."""
        num_items, item_dim = self._batch_shape
        with self._hardware.autocast():
            item = torch.ones(item_dim, dtype=self._dtype, device=self._hardware.device)
            return list_linear_calls(self._network, num_items, item)

    def state_dict(self) -> dict[str, Any]:
        """Return the choice: the type it is for, and three names per layer."""
        return self._build_state(self.layers)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set what `state_dict` or `choose` returned, as far as it exists on this machine."""
        if state["dtype"] != str(self._dtype) or self._is_fixed:
            return  # resumed in another precision or on another device, which has no choice
        missing: set[str] = set()
        modules = dict(self._network.named_modules())
        for name, names in state["layers"].items():
            layer = modules[name]
            assert isinstance(layer, nn.Linear)
            missing |= {backend for backend in names if not is_available(backend)}
            known = (backend if is_available(backend) else TORCH for backend in names)
            self.layers[name] = Backends(*known)
            set_backends(layer, self._dtype, self.layers[name])
        if missing:
            log.warning(
                "this machine cannot multiply by %s, with which the run began: torch "
                "multiplies instead, so that results differ in rounding",
                ", ".join(sorted(missing)),
            )

    def _build_state(self, layers: dict[str, Backends]) -> dict[str, Any]:
        return {
            "dtype": str(self._dtype),
            "layers": {name: list(backends) for name, backends in layers.items()},
        }
