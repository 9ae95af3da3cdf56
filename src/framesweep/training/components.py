"""The network and everything that takes part in training it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup, Shard
from framesweep.system.hardware import Hardware
from framesweep.system.random_state import get_rng_state, set_rng_state
from framesweep.training.losses import Loss
from framesweep.training.lr_schedules import Schedule
from framesweep.training.matmul_choices import MatmulChoices
from framesweep.training.optimizers.rates import load_optimizer_state, optimizer_state
from framesweep.training.weight_averaging import WeightAverage


@dataclass(slots=True)
class TrainingComponents:
    """The network and everything that takes part in a training step.

    Attributes:
        model: The network, on the device.
        optimizer: The optimizer of its parameters.
        schedule: The learning-rate schedule of the optimizer.
        loss: The loss of this rank's rows of a batch, a mean over the whole batch.
        clip: Clips the gradients of the given parameters.
        augment: Changes a batch of inputs in place; None for no augmentation.
        hardware: The device and the precision.
        average: A running average of the weights; None for none.
        process_group: The processes that train the network together.
        matmuls: The choice of matrix multiplications; None leaves it to the defaults.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    clip: Callable[[Iterable[Tensor]], Tensor | None]
    augment: Callable[[Tensor, Shard | None], Tensor] | None
    hardware: Hardware
    average: WeightAverage | None = None
    process_group: ProcessGroup = SINGLE_PROCESS
    matmuls: MatmulChoices | None = None

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and to save: the averaged one, once there is one."""
        average = None if self.average is None else self.average.model
        return self.model if average is None else average

    def skip(self, num_steps: int) -> None:
        """Count steps as taken that are left out as the time is up.

        If the run is resumed with more time, its learning rate and weight average then reach
        their end with its last step, as planned.
        """
        self.schedule.skip(num_steps)
        if self.average is not None:
            self.average.skip(num_steps)

    def choose_matmuls(self) -> None:
        """Choose the fastest matrix multiplications, which rank 0 does for all ranks."""
        if self.matmuls is not None:
            chosen = self.matmuls.choose() if self.process_group.rank == 0 else None
            self.matmuls.load_state_dict(self.process_group.broadcast(chosen))

    def state_dict(self) -> dict[str, Any]:
        """Return all state that training changes, including that of random generators."""
        return {
            "model": self.model.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
            "schedule": self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "scaler": self.hardware.scaler_state(),
            "matmuls": None if self.matmuls is None else self.matmuls.state_dict(),
            "rng": get_rng_state(self.hardware.device),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state_dict["model"])
        load_optimizer_state(self.optimizer, state_dict["optimizer"])
        self.schedule.load_state_dict(state_dict["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state_dict["average"])
        self.hardware.load_scaler_state(state_dict["scaler"])
        # Earlier versions chose nothing and multiplied by the defaults, which still apply.
        if self.matmuls is not None and state_dict.get("matmuls") is not None:
            self.matmuls.load_state_dict(state_dict["matmuls"])
        set_rng_state(state_dict["rng"], self.hardware.device)
