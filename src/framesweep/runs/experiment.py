"""Builds what a config describes: the data, the network and everything that trains it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from framesweep.config import RunConfig
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.store.run_store import open_frame_store
from framesweep.data.store_budget import StoreBudget
from framesweep.data.train_share import take_train_share
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.errors import ConfigError
from framesweep.evaluation.evaluate import evaluate
from framesweep.evaluation.metrics import METRICS, Evaluation
from framesweep.evaluation.smoothed_metrics import measure_smoothed
from framesweep.evaluation.viterbi import (
    MAX_CLASSES,
    Smoother,
    count_train_chain,
    tune_smoother,
)
from framesweep.models.build import NetworkBuilder
from framesweep.models.network import Network
from framesweep.runs.identity import identities
from framesweep.runs.train_data import batch_shape, place_train_data
from framesweep.runs.validation import list_objectives, validate_phones
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
from framesweep.training.loop import fit
from framesweep.training.matmul_choices import MatmulChoices
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.plan import Plan, steps_per_epoch
from framesweep.training.state import TrainingState
from framesweep.training.step import TrainingData


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A smoother that was tuned on dev, and the metrics of the smoothed predictions."""

    smoother: Smoother
    metrics: dict[str, float]


@dataclass(slots=True)
class Experiment:
    """The data and the components of a run on their device, ready for the first step.

    Attributes:
        train: Batches of the train split.
        dev: Windows of the dev split, on which each epoch is evaluated.
        identities: What the weights depend on; see `identity.identities`.
    """

    config: RunConfig
    store: FrameStore
    train: TrainingData
    dev: Windows
    components: TrainingComponents
    plan: Plan
    identities: tuple[str, ...]

    def checkpoints(self, directory: Path) -> Checkpoints:
        """Return the checkpoints in `directory`, which must be those of this experiment."""
        return Checkpoints(directory, *self.identities)

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of each hidden layer."""
        return cast(Network, self.components.model).widths

    @property
    def num_params(self) -> int:
        """The number of parameters of the network."""
        return sum(parameter.numel() for parameter in self.components.model.parameters())

    def fit(self, checkpoints: Checkpoints, callback: Callback) -> TrainingState:
        """Train on the train split and evaluate each epoch on dev; see `training.loop.fit`."""
        return fit(
            self.components, self.train, self.dev_metrics, self.plan, checkpoints, callback
        )

    def evaluate(
        self,
        windows: Windows,
        process_group: ProcessGroup = SINGLE_PROCESS,
        log_posteriors: Tensor | None = None,
    ) -> Evaluation:
        """Evaluate the current network on labelled windows; see `evaluation.evaluate`."""
        network, phones = self.components.evaluated, self.store.phones
        return evaluate(
            network, windows, self.components.hardware, phones, process_group, log_posteriors
        )

    def evaluate_smoothed(self) -> tuple[Evaluation, Smoothing | None]:
        """Evaluate the current network on dev, and what Viterbi smoothing makes of it.

        Both come from one pass over dev. There is no smoothing if train.smooth is false, or if
        there are too many classes.
        """
        num_classes = len(self.store.phones)
        if not self.config.train.smooth or num_classes > MAX_CLASSES:
            return self.evaluate(self.dev), None
        log_posteriors = torch.empty(self.dev.num_frames, num_classes)
        evaluation = self.evaluate(self.dev, log_posteriors=log_posteriors)
        dev = self.store.splits["dev"]
        chain = count_train_chain(self.store)
        smoother, path = tune_smoother(chain, dev, log_posteriors.numpy(), self.dev.device)
        metrics = measure_smoothed(path, dev, self.store.phones)
        return evaluation, Smoothing(smoother, metrics)

    def dev_metrics(self) -> dict[str, float]:
        """Return the dev metrics of the current network, the same on all ranks.

        Raises:
            ConfigError: if an objective is a metric that is not defined for this corpus.
        """
        metrics = self.evaluate(self.dev, self.components.process_group).metrics()
        for key, name in list_objectives(self.config):
            if name.startswith("dev/") and name not in metrics:
                rule = "must be a metric that is defined for this corpus"
                raise ConfigError(key, rule, found=name)
        return metrics


def build_experiment(
    config: RunConfig, process_group: ProcessGroup = SINGLE_PROCESS
) -> Experiment:
    """Open the data, or prepare it first, and build everything that trains on it.

    What can be checked without the data is checked before, because to prepare a large corpus
    takes many minutes.

    Args:
        config: A config whose groups fit together; see `validate_across_groups`. The
            experiment's own may have another train.order; see `place_train_data`.
        process_group: The processes that train together, of which this is one.

    Raises:
        ConfigError: if the network, the device or an objective does not suit the config.
        DataError: if the corpus cannot be read.
    """
    resources = resolve_hardware(config.hardware)
    network_builder = NetworkBuilder(config.model, config.data.context)
    store = open_frame_store(config)
    validate_phones(config, store.phones)
    seed_everything(config.seed)
    store, utterances = take_train_share(store, config.data, config.train.epochs, config.seed)
    budget = StoreBudget(resources.device, config.hardware.max_store_gib)
    config, train = place_train_data(
        config, network_builder.chunk_shape, store.splits["train"], resources, budget
    )
    dev = budget.open_windows(store.splits["dev"], config.data.context, resources.input_dtype)
    network = resources.place(network_builder.build(store.feature_dim, len(store.phones)))
    plan = _build_plan(config, utterances)
    components = _build_components(
        config, store, train, network, resources, process_group, plan
    )
    return Experiment(
        config, store, train, dev, components, plan, identities(config, store.digest)
    )


def _build_components(
    config: RunConfig,
    store: FrameStore,
    train: TrainingData,
    network: nn.Module,
    resources: Hardware,
    process_group: ProcessGroup,
    plan: Plan,
) -> TrainingComponents:
    optimizer = build_optimizer(config.optim, network)
    total_steps = plan.total_steps(train.count_items, train.item_frames)
    first_items = train.count_items(plan.num_utterances(1))
    return TrainingComponents(
        model=network,
        optimizer=optimizer,
        schedule=lr_schedules.Schedule(
            config.optim,
            optimizer,
            total_steps,
            steps_per_epoch(first_items, plan.batch_items(1, train.item_frames)),
            maximize=plan.maximize,
        ),
        loss=losses.build_training_loss(
            config.optim,
            store.splits["train"],
            len(store.phones),
            resources.device,
            process_group,
            padded=not isinstance(train, Windows),
        ),
        clip=partial(clip_gradients, config.optim),
        augment=augmentation.build_augment(
            config.augment, config.data.context, store.feature_dim, _chunk_frames(train)
        ),
        hardware=resources,
        average=weight_averaging.build_average(config.train, network, total_steps),
        process_group=process_group,
        matmuls=MatmulChoices(network, batch_shape(train, plan, process_group.size), resources),
    )


def _chunk_frames(train: TrainingData) -> int | None:
    return None if isinstance(train, Windows) else train.chunk_frames


def _build_plan(config: RunConfig, utterances: tuple[int, ...]) -> Plan:
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
        utterances=utterances,
    )
