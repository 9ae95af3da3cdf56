"""Everything that trains a small network on the toy corpus, on the CPU."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from framesweep.config import (
    AdamWConfig,
    AugmentConfig,
    DataConfig,
    MlpConfig,
    ModelConfig,
    OptimConfig,
    TdnnConfig,
    TrainConfig,
)
from framesweep.data.chunks import FrameChunks
from framesweep.data.store.frame_store import open_store
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS
from framesweep.models.build import NetworkBuilder
from framesweep.system.hardware import CudaGraph, Hardware, Precision
from framesweep.training.augmentation import build_augment
from framesweep.training.components import TrainingComponents
from framesweep.training.gradient_clipping import clip_gradients
from framesweep.training.losses import build_training_loss
from framesweep.training.lr_schedules import Schedule
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.state import RunningMetrics, TrainingState
from framesweep.training.step import TrainingData, TrainingStep
from framesweep.training.weight_averaging import build_average
from toy import NAMES, ToyCorpus

CONTEXT, FEATURE_DIM, STEPS = 4, 6, 8
CPU = torch.device("cpu")

NETWORKS: dict[str, ModelConfig] = {
    "mlp": MlpConfig(widths=[16, 12, 16], dropout=0.0),
    "residual": MlpConfig(widths=[16, 16, 16], dropout=0.0, residual=True, activation="gelu"),
    "layer_norm": MlpConfig(widths=[16, 16], dropout=0.0, norm="layer", activation="silu"),
    "no_norm": MlpConfig(widths=[16, 16], dropout=0.0, norm="none", activation="leaky_relu"),
    "conv": MlpConfig(
        widths=[16], dropout=0.0, conv_channels=[8, 8], conv_kernel=3, conv_dropout=0.0
    ),
    "tdnn": TdnnConfig(channels=12, dilations=[1, 1, 2], run_frames=16, stride=2, dropout=0.0),
}
AUGMENTATIONS = {
    "none": AugmentConfig(),
    "masks": AugmentConfig(time_masks=2, time_width=3, freq_masks=1, freq_width=2),
    "perturbations": AugmentConfig(shift=1, gain=0.1, noise=0.1, tempo=0.2),
}


class Training:
    """The components of a training, its data and its sums."""

    def __init__(
        self,
        folder: Path,
        *,
        network: str = "mlp",
        augment: str = "none",
        optim: OptimConfig | None = None,
        average: Literal["none", "ema", "swa"] = "none",
        precision: Precision = "fp32",
        compile: bool = False,
        cuda_graph: CudaGraph = False,
        batch_items: int = 32,
    ) -> None:
        torch.manual_seed(3)
        store = open_store(DataConfig(context=CONTEXT), ToyCorpus(), folder / "cache")
        hardware = Hardware(CPU, precision, 1, compile=compile, cuda_graph=cuda_graph)
        builder = NetworkBuilder(NETWORKS[network], CONTEXT)
        disturbed = AUGMENTATIONS[augment]
        split, chunk = store.splits["train"], builder.chunk_shape
        self.train: TrainingData = (
            Windows(split, CONTEXT, CPU)
            if chunk is None
            else FrameChunks(
                split, CONTEXT, chunk.num_frames, chunk.stride, CPU, tempo=disturbed.tempo
            )
        )
        model = builder.build(FEATURE_DIM, len(NAMES))
        optim = optim or AdamWConfig(clip_norm=1.0, schedule="onecycle", label_smoothing=0.1)
        optimizer = build_optimizer(optim, model)
        averaging = TrainConfig(average=average, average_from=0.5)
        padded = chunk is not None
        self.components = TrainingComponents(
            model=model,
            optimizer=optimizer,
            schedule=Schedule(optim, optimizer, STEPS, STEPS),
            loss=build_training_loss(
                optim, split, len(NAMES), CPU, SINGLE_PROCESS, padded=padded
            ),
            clip=partial(clip_gradients, optim),
            augment=build_augment(
                disturbed,
                CONTEXT,
                FEATURE_DIM,
                None if chunk is None else chunk.num_frames,
            ),
            hardware=hardware,
            average=build_average(averaging, model, STEPS),
        )
        model.train()
        self.sums = RunningMetrics(TrainingState(), hardware, SINGLE_PROCESS)
        self.step = TrainingStep(self.components, self.train, self.sums)
        self._batch_items = batch_items if chunk is None else 3

    def items(self, number: int) -> Tensor:
        """Return the items of a batch."""
        generator = torch.Generator().manual_seed(number)
        return torch.randint(self.train.num_items, (self._batch_items,), generator=generator)

    def take_steps(self, first: int = 0, end: int = STEPS) -> None:
        """Take steps on the batches from `first` to `end`."""
        for number in range(first, end):
            self.step(self.items(number), is_full=True)

    def state(self) -> dict[str, Any]:
        """Return copies of all tensors that training changes, by name."""
        components = self.components
        models: dict[str, nn.Module] = {"model": components.model}
        if components.average is not None and components.average.model is not None:
            models["average"] = components.average.model
        found = {
            f"{kind}.{name}": tensor.clone()
            for kind, model in models.items()
            for name, tensor in model.state_dict().items()
        }
        found["rng"] = torch.get_rng_state()
        found["sums"] = torch.stack(
            [self.sums.loss, self.sums.correct.double(), self.sums.seen.double()]
        )
        return found
