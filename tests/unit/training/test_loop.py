"""The training loop: exact metrics, exact resume, limits, and what it does on errors."""

import itertools
import math
import signal
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim import adam

from framesweep.config import (
    AdamConfig,
    AugmentConfig,
    DataConfig,
    HardwareConfig,
    LstmConfig,
    MlpConfig,
    ModelConfig,
    TdnnConfig,
    TrainConfig,
)
from framesweep.data.chunks import FrameChunks
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import open_store
from framesweep.data.utterance_chunks import UtteranceChunks
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.errors import CheckpointError, Interrupted, NonFiniteLossError
from framesweep.evaluation.evaluate import compute_log_posteriors, evaluate
from framesweep.evaluation.metrics import METRICS
from framesweep.kernels.backends import Backends, default_backends, get_backends
from framesweep.models.build import build_model
from framesweep.runs.train_data import batch_shape
from framesweep.system.hardware import Hardware, resolve_hardware
from framesweep.system.matmul_choice import VARIABLE
from framesweep.system.random_state import seed_everything
from framesweep.training import loop
from framesweep.training.augmentation import build_augment
from framesweep.training.checkpoints import Checkpoints
from framesweep.training.components import TrainingComponents
from framesweep.training.gradient_clipping import clip_gradients
from framesweep.training.loop import _build_sampler, fit
from framesweep.training.losses import average_over_batch, build_loss
from framesweep.training.lr_schedules import Schedule
from framesweep.training.matmul_choices import MatmulChoices
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.plan import Plan, steps_per_epoch
from framesweep.training.state import RunningMetrics, TrainingState
from framesweep.training.step import TrainingStep
from framesweep.training.weight_averaging import build_average
from toy import NAMES, ToyCorpus

CONTEXT, BATCH = 2, 32
LSTM = LstmConfig(width=6, layers=2, conv_channels=[4], chunk_frames=9)
TDNN = TdnnConfig(channels=12, dilations=[1, 1], run_frames=16, stride=2)


class Recorder:
    """A callback that records its reports and asks to stop after a chosen step."""

    def __init__(self, stop_at=None):
        self.epochs, self.restored, self.now = [], [], None
        self.values, self.evaluated, self.last = [], [], []
        self.stop_at = stop_at

    def on_restore(self, history):
        self.restored = list(history)

    def on_step(self, epoch, step, num_steps):
        self.now = (epoch, step)

    def on_values(self, loss, lr):
        self.values.append((loss, lr))

    def on_evaluate(self, epoch):
        self.evaluated.append((epoch, len(self.epochs)))

    def on_epoch(self, epoch, metrics, *, is_last):
        self.epochs.append((epoch, metrics))
        self.last += [epoch] * is_last

    def stop_signal(self):
        return signal.SIGTERM if self.now == self.stop_at else 0


def tdnn_chunks(store, device):
    return FrameChunks(store.splits["train"], CONTEXT, 16, 2, device, tempo=0.3)


def lstm_chunks(store, device):
    return UtteranceChunks(store.splits["train"], CONTEXT, LSTM.chunk_frames, device, tempo=0.3)


CHUNKS = {"tdnn": tdnn_chunks, "lstm": lstm_chunks}


class Job:
    """All arguments of `fit`, for the toy corpus."""

    def __init__(
        self,
        folder,
        *,
        epochs=3,
        lr=3e-3,
        schedule="onecycle",
        identity="x",
        average="none",
        network="mlp",
        **plan,
    ):
        store = open_store(DataConfig(context=CONTEXT), ToyCorpus(), folder / "cache")
        seed_everything(1)
        hardware = resolve_hardware(HardwareConfig(device="cpu", precision="fp32", threads=1))
        self.train, self.dev = (
            Windows(store.splits[s], CONTEXT, hardware.device) for s in ("train", "dev")
        )
        config: ModelConfig = MlpConfig(widths=[16, 16])
        if network in CHUNKS:
            config = {"tdnn": TDNN, "lstm": LSTM}[network]
            self.train = CHUNKS[network](store, hardware.device)
        num_frames = 2 * CONTEXT + 1
        model = build_model(config, self.train.window_dim, len(NAMES), num_frames)
        optim = AdamConfig(lr=lr, schedule=schedule)
        optimizer = build_optimizer(optim, model)
        settings = {"objective": "dev/accuracy", **plan}
        maximize = METRICS[settings["objective"]].maximize
        self.plan = Plan(epochs=epochs, batch_size=BATCH, seed=5, maximize=maximize, **settings)
        num_items = self.plan.batch_items(1, self.train.item_frames)
        steps = steps_per_epoch(self.train.num_items, num_items)
        self.components = TrainingComponents(
            model=model,
            optimizer=optimizer,
            schedule=Schedule(optim, optimizer, steps * epochs, steps),
            loss=average_over_batch(build_loss(optim, reduction="sum"), None, SINGLE_PROCESS),
            clip=partial(clip_gradients, optim),
            augment=None,
            hardware=hardware,
        )
        averaging = TrainConfig(average=average, ema_decay=0.9, average_from=0.5)
        self.components.average = build_average(averaging, model, steps * epochs)
        self.checkpoints = Checkpoints(folder / "checkpoints", identity)

    def evaluate(self):
        return evaluate(
            self.components.evaluated, self.dev, self.components.hardware, PhoneSet(NAMES)
        ).metrics()

    def fit(self, callback):
        return fit(
            self.components, self.train, self.evaluate, self.plan, self.checkpoints, callback
        )

    def weights(self):
        return {k: v.clone() for k, v in self.components.model.state_dict().items()}


def timeless(history):
    return [{k: v for k, v in m.items() if "per_second" not in k} for m in history]


def test_training_learns_and_reports_each_epoch_once(tmp_path):
    callback = Recorder()
    state = Job(tmp_path, epochs=12, schedule="constant").fit(callback)
    assert [epoch for epoch, _ in callback.epochs] == list(range(1, 13))
    assert [metrics for _, metrics in callback.epochs] == state.history
    assert callback.last == [12]
    assert state.best("dev/accuracy") > 0.7
    assert state.best("dev/accuracy") == max(m["dev/accuracy"] for m in state.history)


def test_an_evaluation_also_returns_posteriors(tmp_path):
    job = Job(tmp_path)
    posteriors = torch.empty(job.dev.num_frames, len(NAMES))
    model, hardware = job.components.model, job.components.hardware
    found = evaluate(model, job.dev, hardware, PhoneSet(NAMES), log_posteriors=posteriors)
    assert torch.equal(posteriors, compute_log_posteriors(model, job.dev, hardware, len(NAMES)))
    labels = job.dev.labels(torch.arange(job.dev.num_frames))
    accuracy = float((posteriors.argmax(dim=1) == labels).double().mean())
    assert found.metrics()["dev/accuracy"] == pytest.approx(accuracy)


def test_metrics_are_exact_over_frames(tmp_path):
    job = Job(tmp_path)
    job.fit(Recorder())
    model = job.components.model.eval()
    frames = torch.arange(job.dev.num_frames)
    with torch.no_grad():
        logits = model(job.dev.gather(frames).clone()).double()
    labels = job.dev.labels(frames)
    hits = logits.argmax(1) == labels
    metrics = job.evaluate()
    loss = -torch.log_softmax(logits, 1)[frames, labels].mean()
    assert metrics["dev/loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert metrics["dev/accuracy"] == hits.double().mean().item()
    assert metrics["dev/speech_accuracy"] == pytest.approx(
        hits[labels != 0].double().mean().item()
    )
    edges = job.dev.edges(frames)
    assert metrics["dev/edge_accuracy"] == pytest.approx(hits[edges].double().mean().item())


@pytest.mark.parametrize(
    ("average", "network"),
    [("none", "mlp"), ("ema", "mlp"), ("swa", "mlp"), ("none", "tdnn"), ("none", "lstm")],
)
def test_a_step_never_synchronizes_with_the_device(tmp_path, monkeypatch, average, network):
    # Tensors on `meta` have no data: reading a number from one, or adding a CPU tensor to it,
    # is an error there, where on an accelerator it would wait for the device.
    meta = torch.device("meta")
    job = Job(tmp_path, average=average, network=network)
    monkeypatch.setattr(adam, "_device_dtype_check_for_fused", lambda p: None)
    model = job.components.model.to(meta)
    optim = AdamConfig(clip_norm=1.0, label_smoothing=0.1, class_weights="inverse")
    optimizer = build_optimizer(optim, model)
    hardware = Hardware(meta, "fp32", 1, compile=False)
    monkeypatch.setattr(hardware, "autocast", nullcontext)
    disturbed = AugmentConfig(
        time_masks=1,
        time_width=2,
        freq_masks=1,
        freq_width=2,
        shift=1,
        gain=0.1,
        noise=0.1,
        tempo=0.2,
    )
    store = open_store(DataConfig(context=CONTEXT), ToyCorpus(), tmp_path / "cache")
    split = store.splits["train"]
    components = replace(
        job.components,
        optimizer=optimizer,
        schedule=Schedule(optim, optimizer, 30, 10),
        loss=build_loss(optim, torch.ones(len(NAMES), device=meta)),
        clip=partial(clip_gradients, optim),
        augment=build_augment(
            disturbed, CONTEXT, split.rows.shape[1], 16 if network in CHUNKS else None
        ),
        hardware=hardware,
        average=build_average(TrainConfig(average=average, average_from=0.0), model, 30),
    )
    chunks = CHUNKS.get(network)
    train = Windows(split, CONTEXT, meta) if chunks is None else chunks(store, meta)
    sums = RunningMetrics(TrainingState(), hardware, components.process_group)
    sampler = _build_sampler(job.plan, 1, train)
    step = TrainingStep(components, train, sums)
    for position in range(3):
        step(sampler.indices(position, 1), is_full=True)
    assert sums.loss.device == sums.correct.device == meta
    with pytest.raises(RuntimeError, match="meta"):
        sums.write(TrainingState())


def test_the_same_seed_gives_the_same_bits(tmp_path):
    outcomes = []
    for name in ("a", "b"):
        job = Job(tmp_path / name)
        outcomes.append((timeless(job.fit(Recorder()).history), job.weights()))
    assert outcomes[0][0] == outcomes[1][0]
    for name, tensor in outcomes[0][1].items():
        assert torch.equal(tensor, outcomes[1][1][name]), name


@pytest.mark.parametrize("stop_at", [(1, 1), (2, 3), (3, 4)])
@pytest.mark.parametrize(
    "keys",
    [
        {"schedule": "onecycle"},
        {"schedule": "plateau"},
        {"average": "ema", "final_batch_size": 24},
        {"average": "swa"},
        {"network": "tdnn"},
        {"utterances": (2, 3, 4)},
        {"network": "tdnn", "utterances": (3, 4)},
        {"network": "lstm", "utterances": (3, 4), "final_batch_size": 24},
    ],
    ids=lambda keys: "-".join(str(value) for value in keys.values()),
)
def test_a_stopped_and_resumed_run_equals_one_that_was_never_stopped(tmp_path, keys, stop_at):
    whole = Job(tmp_path / "whole", **keys)
    history = whole.fit(Recorder()).history
    with pytest.raises(Interrupted) as stopped:
        Job(tmp_path / "cut", **keys).fit(Recorder(stop_at=stop_at))
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    torch.rand(17)  # what the process does in between must not matter
    rest, callback = Job(tmp_path / "cut", **keys), Recorder()
    state = rest.fit(callback)
    assert len(callback.restored) == stop_at[0] - 1
    assert timeless(state.history) == timeless(history)
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, rest.weights()[name]), name
    for name in ("last.pt", "best.safetensors"):
        assert (rest.checkpoints.last.parent / name).exists()
    best = (job.checkpoints.best.read_bytes() for job in (whole, rest))
    assert next(best) == next(best)


@pytest.mark.parametrize("saved", ["torch", "default"])
def test_a_resumed_run_multiplies_as_it_began_whatever_is_chosen_now(
    tmp_path, monkeypatch, saved
):
    def build(name, choice, *, chooses=True):
        monkeypatch.setenv(VARIABLE, choice)
        job = Job(tmp_path / name)
        shape, components = batch_shape(job.train, job.plan, 1), job.components
        if chooses:
            components.matmuls = MatmulChoices(components.model, shape, components.hardware)
        return job

    whole = build("whole", saved)
    whole.fit(Recorder())
    with pytest.raises(Interrupted):
        # Earlier versions multiplied by the defaults, and saved no choice.
        build("cut", saved, chooses=saved != "default").fit(Recorder(stop_at=(2, 3)))
    rest = build("cut", "torch" if saved == "default" else "default")
    rest.fit(Recorder())
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, rest.weights()[name]), name
    layers = [m for m in rest.components.model.modules() if isinstance(m, nn.Linear)]
    expected = (
        Backends("torch", "torch", "torch")
        if saved == "torch"
        else default_backends(torch.float32)
    )
    assert [get_backends(layer, torch.float32) for layer in layers] == [expected] * 3


def test_averaged_weights_are_evaluated_and_saved(tmp_path):
    job = Job(tmp_path, average="ema", objective="dev/loss")
    state = job.fit(Recorder())
    averaged = {k: v.clone() for k, v in job.components.average.model.state_dict().items()}
    last = job.weights()
    assert not any(
        torch.equal(averaged[name], last[name]) for name in averaged if "weight" in name
    )
    assert job.evaluate()["dev/loss"] == state.history[-1]["dev/loss"]
    assert state.best_epoch == 3
    kept = load_file(job.checkpoints.best)
    assert all(torch.equal(averaged[name], kept[name]) for name in averaged)


def test_the_callback_hears_of_loss_rate_and_evaluation(tmp_path):
    job = Job(tmp_path)
    callback = Recorder()
    job.fit(callback)
    assert callback.evaluated == [(epoch, epoch - 1) for epoch, _ in callback.epochs]
    last_loss, last_lr = callback.values[-1]
    assert last_loss == pytest.approx(callback.epochs[-1][1]["train/loss"])
    assert last_lr >= 0


def test_each_epoch_visits_every_frame_in_its_batch_size(tmp_path):
    job, callback = Job(tmp_path, final_batch_size=128), Recorder(stop_at="never")
    steps = []
    callback.on_step = lambda epoch, step, num_steps: steps.append((epoch, num_steps))
    job.fit(callback)
    frames = job.train.num_frames
    expected = [-(-frames // size) for size in (32, 64, 128)]
    assert [steps.count((epoch, n)) for epoch, n in enumerate(expected, 1)] == expected


def test_patience_ends_training_after_epochs_without_improvement(tmp_path):
    callback = Recorder()
    job = Job(tmp_path, epochs=50, lr=1e-12, schedule="constant", patience=2)
    job.evaluate = lambda: {"dev/accuracy": 0.5}
    state = job.fit(callback)
    assert state.best_epoch == 1
    assert len(state.history) == 3
    assert callback.last == [3]


def test_a_loss_as_objective_is_minimized(tmp_path):
    values = iter([3.0, 1.0, 2.0])
    job = Job(tmp_path, objective="dev/loss")
    job.evaluate = lambda: {"dev/loss": next(values)}
    assert job.fit(Recorder()).best_epoch == 2


@pytest.mark.parametrize(
    ("values", "best"),
    [([math.nan, 0.3, 0.2], 2), ([0.3, math.nan, 0.2], 1), ([math.nan] * 3, 3)],
)
def test_any_objective_is_better_than_nan(tmp_path, values, best):
    iterator = iter(values)
    job = Job(tmp_path, objective="dev/speech_accuracy")
    job.evaluate = lambda: {"dev/speech_accuracy": next(iterator)}
    assert job.fit(Recorder()).best_epoch == best


def test_a_dev_loss_that_is_not_finite_ends_training(tmp_path):
    losses = iter([1.0, math.inf])
    job = Job(tmp_path)
    job.evaluate = lambda: {"dev/accuracy": 0.5, "dev/loss": next(losses)}
    with pytest.raises(NonFiniteLossError, match="the dev loss became inf in epoch 2"):
        job.fit(Recorder())
    assert job.checkpoints.load()["progress"]["epoch"] == 2


def test_max_minutes_can_end_training_within_an_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECK_STEPS", 2)
    job = Job(tmp_path, epochs=1000, max_minutes=1e-9)
    callback = Recorder()
    state = job.fit(callback)
    assert len(state.history) == 1
    assert callback.last == [1]
    assert state.history[0]["train/loss"] > 0
    per_epoch = steps_per_epoch(job.train.num_frames, BATCH)
    assert per_epoch > 2
    assert job.components.schedule.state_dict()["step"] == per_epoch


def test_a_run_out_of_time_reaches_its_final_rate_when_resumed_with_more(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECK_STEPS", 2)
    Job(tmp_path, max_minutes=1e-9).fit(Recorder())
    whole, again = Job(tmp_path / "whole"), Job(tmp_path)
    whole.fit(Recorder())
    assert len(again.fit(Recorder()).history) == 3
    assert again.components.schedule.lr == whole.components.schedule.lr


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path):
    job = Job(tmp_path, epochs=1)
    job.fit(Recorder())
    good = job.checkpoints.last.read_bytes()
    again = Job(tmp_path, epochs=3)
    again.components.loss = lambda logits, labels: logits.sum() * math.nan
    with pytest.raises(NonFiniteLossError, match="became nan in epoch 2"):
        again.fit(Recorder())
    assert job.checkpoints.last.read_bytes() == good


def test_the_message_of_a_lost_loss_names_the_checkpoint_within_the_epoch(tmp_path):
    job, calls = Job(tmp_path, checkpoint_minutes=1e-9), itertools.count()
    loss = job.components.loss
    job.components.loss = lambda logits, labels: (
        loss(logits, labels) * (math.nan if next(calls) == 2 else 1.0)
    )
    with pytest.raises(NonFiniteLossError, match="checkpoint of epoch 1, step 2 is kept"):
        job.fit(Recorder())
    progress = job.checkpoints.load()["progress"]
    assert (progress["epoch"], progress["step"]) == (1, 2)


def test_a_checkpoint_of_another_config_is_refused(tmp_path):
    Job(tmp_path, epochs=1).fit(Recorder())
    with pytest.raises(CheckpointError, match="must be saved with this config and corpus"):
        Job(tmp_path, epochs=2, identity="y").fit(Recorder())


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 99]
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    job = Job(tmp_path, epochs=1)
    job.fit(Recorder())
    job.checkpoints.last.write_bytes(damage(job.checkpoints.last.read_bytes()))
    with pytest.raises(CheckpointError, match=r"last\.pt: must be an undamaged checkpoint"):
        Job(tmp_path, epochs=2).fit(Recorder())


def test_checkpoints_are_written_within_an_epoch(tmp_path):
    saves = []
    job = Job(tmp_path, epochs=1, checkpoint_minutes=1e-9)
    save = job.checkpoints.save

    def record(state):
        saves.append(state["progress"]["step"])
        save(state)

    job.checkpoints.save = record
    job.fit(Recorder())
    steps = steps_per_epoch(job.train.num_frames, BATCH)
    assert saves == [*range(1, steps), 0]


def test_every_frame_is_visited_once_per_epoch(tmp_path):
    job, seen = Job(tmp_path, epochs=1), []
    gather = job.train.gather
    job.train.gather = lambda frames: (seen.extend(frames.tolist()), gather(frames))[1]
    job.fit(Recorder())
    np.testing.assert_array_equal(sorted(seen), np.arange(job.train.num_frames))


@pytest.mark.parametrize("keys", [{}, {"buffer_frames": 48}])
def test_an_epoch_on_a_share_visits_only_its_utterances(tmp_path, monkeypatch, keys):
    monkeypatch.setattr("framesweep.training.samplers.BLOCK_FRAMES", 16)
    job, seen = Job(tmp_path, epochs=3, utterances=(1, 3), **keys), []
    gather = job.train.gather
    job.train.gather = lambda frames: (seen.append(frames.clone()), gather(frames))[1]
    job.fit(Recorder())
    frames = torch.cat(seen).tolist()
    for first, count in ((0, 40), (40, 125), (165, 125)):  # utterances of 40, 25, 60 frames
        assert sorted(frames[first : first + count]) == list(range(count))
    assert len(frames) == 290


def test_a_run_in_blocks_of_frames_can_be_stopped_and_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr("framesweep.training.samplers.BLOCK_FRAMES", 16)
    keys = {"schedule": "onecycle", "buffer_frames": 48}
    test_a_stopped_and_resumed_run_equals_one_that_was_never_stopped(tmp_path, keys, (2, 3))
    shuffled = Job(tmp_path / "shuffled")
    shuffled.fit(Recorder())
    windowed = Job(tmp_path / "whole", **keys).checkpoints.best.read_bytes()
    assert shuffled.checkpoints.best.read_bytes() != windowed


class TwoInOne(ProcessGroup):
    """A group that counts as two, in which this process has every batch to itself."""

    def __init__(self):
        super().__init__(0, 2)
        self.agreements = 0

    def shard(self, batch, *, borrow=False):
        return batch, None

    def all_reduce_sum(self, *tensors):
        pass

    def all_reduce_max(self, *values):
        self.agreements += len(values) == 2
        return values

    def broadcast(self, value):
        return value

    def replicate(self, model):
        pass

    def all_reduce_gradients(self, model):
        pass


class StopFrom(Recorder):
    """Asks to stop from a step on, as a signal does that stays set."""

    def stop_signal(self):
        return signal.SIGTERM if self.now is not None and self.now >= self.stop_at else 0


@pytest.mark.parametrize(("asked", "stopped"), [((2, 1), (2, 3)), ((2, 3), (2, 3))])
def test_ranks_on_gpus_agree_to_stop_every_few_steps(tmp_path, monkeypatch, asked, stopped):
    monkeypatch.setattr(loop, "_steps_to_agree", lambda components: 3)
    whole = Job(tmp_path / "whole")
    whole.fit(Recorder())
    job = Job(tmp_path / "parts")
    job.components.process_group = group = TwoInOne()
    callback = StopFrom(asked)
    with pytest.raises(Interrupted):
        job.fit(callback)
    assert callback.now == stopped
    num_steps = steps_per_epoch(job.train.num_items, BATCH)
    # In each epoch after every third step and after the last.
    assert group.agreements == len({*range(3, num_steps + 1, 3), num_steps}) + 1
    resumed = Job(tmp_path / "parts")
    resumed.fit(Recorder())
    for name, weight in whole.weights().items():
        assert torch.equal(weight, resumed.weights()[name])


def test_only_ranks_on_gpus_agree_less_often_than_after_each_step():
    def steps(device, size):
        components: Any = SimpleNamespace(
            hardware=SimpleNamespace(device=torch.device(device)),
            process_group=SimpleNamespace(size=size),
        )
        return loop._steps_to_agree(components)

    assert steps("cuda", 2) == loop.AGREE_STEPS > 1
    assert steps("cuda", 1) == steps("cpu", 2) == 1
