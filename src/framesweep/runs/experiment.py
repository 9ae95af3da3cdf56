"""What a RunConfig stands for: the data, the network and all that trains it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from framesweep.config import RunConfig
from framesweep.data.chunks import FrameChunks
from framesweep.data.readers.registry import build_corpus
from framesweep.data.store import frame_store as stores
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.errors import ConfigError
from framesweep.evaluation.evaluate import evaluate
from framesweep.evaluation.metrics import METRICS, Evaluation
from framesweep.evaluation.predictor import build_network
from framesweep.evaluation.viterbi import MAX_CLASSES, tuned_smoother
from framesweep.models.network import Network, network_class
from framesweep.runs.identity import identities
from framesweep.runs.validation import validate_phones
from framesweep.system.hardware import Hardware, resolve_hardware
from framesweep.system.random_state import seed_everything
from framesweep.training import (
    augmentation,
    losses,
    lr_schedules,
    weight_averaging,
)
from framesweep.training.callbacks import Callback
from framesweep.training.checkpoints import Checkpoints
from framesweep.training.components import TrainingComponents
from framesweep.training.gradient_clipping import clip_gradients
from framesweep.training.loop import TrainingData, fit
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.plan import Plan, steps_per_epoch
from framesweep.training.state import TrainingState


@dataclass(slots=True)
class Experiment:
    """A run's parts, built and placed on the device, before its first step."""

    config: RunConfig
    store: FrameStore
    train: TrainingData
    dev: Windows
    components: TrainingComponents
    plan: Plan
    identities: tuple[str, str]

    def checkpoints(self, directory: Path) -> Checkpoints:
        """Return the checkpoints in `directory`, which must be those of this experiment."""
        return Checkpoints(directory, *self.identities)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return cast(Network, self.components.model).widths

    @property
    def num_params(self) -> int:
        """Parameters of the network."""
        return sum(parameter.numel() for parameter in self.components.model.parameters())

    def fit(self, checkpoints: Checkpoints, callback: Callback) -> TrainingState:
        """Trains as `training.fit` does, on train, to the plan, measured on dev."""
        return fit(
            self.components, self.train, self.dev_metrics, self.plan, checkpoints, callback
        )

    def evaluate(
        self,
        windows: Windows,
        process_group: ProcessGroup = SINGLE_PROCESS,
        posteriors: Tensor | None = None,
    ) -> Evaluation:
        """Measures the network as it is on labelled windows, as `evaluation.evaluate` does."""
        network, phones = self.components.evaluated, self.store.phones
        return evaluate(
            network, windows, self.components.hardware, phones, process_group, posteriors
        )

    def evaluate_smoothed(self) -> tuple[Evaluation, float | None]:
        """Measures the network as it is on dev, and dev/smoothed_accuracy, by one pass.

        The latter is None where train.smooth says no. Its chain of phones is counted on train,
        and the chain's strength tuned on dev.
        """
        num_classes = len(self.store.phones)
        if not self.config.train.smooth or num_classes > MAX_CLASSES:
            return self.evaluate(self.dev), None
        posteriors = torch.empty(self.dev.num_frames, num_classes)
        evaluation = self.evaluate(self.dev, posteriors=posteriors)
        dev = self.store.splits["dev"]
        assert dev.labels is not None
        smoother = tuned_smoother(self.store, posteriors.numpy())
        path = smoother(posteriors.numpy(), dev.lengths)
        return evaluation, float((path == dev.labels).mean())

    def dev_metrics(self) -> dict[str, float]:
        """Return the dev metrics of the network as it is, the same on all ranks.

        Raises:
            ConfigError: if an objective is a metric that is not defined for this corpus.
        """
        metrics = self.evaluate(self.dev, self.components.process_group).metrics()
        for name in (self.config.objective, *self.config.further_objectives):
            if name.startswith("dev/") and name not in metrics:
                rule = "must be a metric that is defined for this corpus"
                raise ConfigError("objective", rule, found=name)
        return metrics


def build_experiment(
    config: RunConfig, process_group: ProcessGroup = SINGLE_PROCESS
) -> Experiment:
    """Reads or prepares the data and builds everything that trains on it, in this process.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: the corpus does.
    """
    resources = resolve_hardware(config.hardware)
    store = open_frame_store(config)
    validate_phones(config, store.phones)
    seed_everything(config.seed)
    train = _train_inputs(config, store, resources)
    dev = Windows(
        store.splits["dev"], config.data.context, resources.device, resources.input_dtype
    )
    network = resources.place(build_network(config, store.feature_dim, len(store.phones)))
    optimizer = build_optimizer(config.optim, network)
    plan = _plan(config)
    total_steps = plan.total_steps(train.num_items, train.item_frames)
    components = TrainingComponents(
        model=network,
        optimizer=optimizer,
        schedule=lr_schedules.build_schedule(
            config.optim,
            optimizer,
            total_steps,
            steps_per_epoch(train.num_items, plan.batch_items(1, train.item_frames)),
            maximize=plan.maximize,
        ),
        loss=_loss(config, _class_weights(config, store, resources), process_group),
        clip=partial(clip_gradients, config.optim),
        augment=augmentation.build_augment(
            config.augment, config.data.context, store.feature_dim, _chunk_frames(train)
        ),
        hardware=resources,
        average=weight_averaging.build_average(config.train, network, total_steps),
        process_group=process_group,
    )
    return Experiment(
        config, store, train, dev, components, plan, identities(config, store.digest)
    )


def _train_inputs(config: RunConfig, store: FrameStore, resources: Hardware) -> TrainingData:
    """Return what the config's network is trained on: windows, or chunks of frames."""
    split, context = store.splits["train"], config.data.context
    device, dtype = resources.device, resources.input_dtype
    chunk = network_class(config.model).chunk_shape(config.model)
    if chunk is None:
        return Windows(split, context, device, dtype)
    tempo = config.augment.tempo
    return FrameChunks(split, context, chunk.num_frames, chunk.stride, device, dtype, tempo)


def _chunk_frames(train: TrainingData) -> int | None:
    return train.chunk_frames if isinstance(train, FrameChunks) else None


def _loss(
    config: RunConfig, weights: Tensor | None, process_group: ProcessGroup
) -> losses.Loss:
    # Chunks hold padding rows, which have no label: the mean is over the others.
    if process_group.size == 1 and not network_class(config.model).reads_chunks:
        return losses.build_loss(config.optim, weights)
    summed = losses.build_loss(config.optim, weights, reduction="sum")
    return losses.average_over_batch(summed, weights, process_group)


def _class_weights(config: RunConfig, store: FrameStore, resources: Hardware) -> Tensor | None:
    if config.optim.class_weights == "none":
        return None
    labels = store.splits["train"].labels
    assert labels is not None
    counts = torch.from_numpy(np.bincount(labels, minlength=len(store.phones)))
    weights = losses.compute_class_weights(config.optim, counts)
    return None if weights is None else weights.to(resources.device)


def open_frame_store(config: RunConfig) -> FrameStore:
    """The store of the config's corpus, prepared first where needed."""
    return stores.open_store(config.data, build_corpus(config.data), cache_folder(config))


def cache_folder(config: RunConfig) -> Path:
    """Where prepared corpora lie."""
    return Path(config.data.cache or Path(config.outputs) / "cache")


def _plan(config: RunConfig) -> Plan:
    return Plan(
        epochs=config.train.epochs,
        batch_size=config.train.batch_size,
        seed=config.seed,
        objective=config.objective,
        maximize=METRICS[config.objective].maximize,
        final_batch_size=config.train.final_batch_size,
        patience=config.train.patience,
        max_minutes=config.train.max_minutes,
        checkpoint_minutes=config.train.checkpoint_minutes,
        buffer_frames=config.train.window_frames if config.train.order == "windows" else None,
    )
