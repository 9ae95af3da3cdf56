"""What training is compared with: an upper bound, plain PyTorch, and loops in Python.

The upper bound consists of the matrix multiplications of a training step and of nothing else.
No training of the same network can be faster with the same multiplications, so its ratio to
the bound says which share of the time everything else costs: gathering windows, norms,
activations, dropout, the loss, the optimizer. The other baselines are how people train such a
network without this project.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from framesweep.bench.plain_networks import build_plain_network
from framesweep.bench.timing import Contender
from framesweep.config import MlpConfig, ModelConfig
from framesweep.errors import ConfigError
from framesweep.kernels.backends import (
    MATMULS,
    ONEDNN,
    TORCH,
    Backends,
    LinearCall,
    Matmul,
    is_available,
)
from framesweep.system.hardware import Hardware

Choose = Callable[[LinearCall], tuple[Matmul, ...]]
"""Returns how to multiply for a layer's output, its input's gradient and its weight's."""


def is_plain_mlp(config: ModelConfig) -> bool:
    """Return whether a network is a perceptron without convolutions and shortcuts."""
    return isinstance(config, MlpConfig) and not config.conv_channels and not config.residual


def require_plain_mlp(config: ModelConfig) -> None:
    """Raise ConfigError unless the network is a perceptron, which plain modules can replace."""
    if not is_plain_mlp(config):
        raise ConfigError(
            "--models",
            "must be perceptrons without convolutions or shortcuts",
            fix="Use small, base or wide.",
        )


def synchronize(device: torch.device) -> None:
    """Wait until an accelerator has finished all work that was queued on it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def list_matmuls(device: torch.device, chosen: Mapping[str, Backends]) -> dict[str, Choose]:
    """Return ways to multiply for this device, by name.

    Which implementation is the fastest depends on the shapes and on the processor, so on a CPU
    the upper bound is the fastest of three: each implementation for all multiplications, and
    the one that the run has chosen for each.

    Args:
        device: The device.
        chosen: What the run has chosen on a CPU, by the names of its layers.
    """
    matmuls: dict[str, Choose] = {"torch.mm": _always(TORCH)}
    if device.type == "cpu" and is_available(ONEDNN):
        matmuls["oneDNN"] = _always(ONEDNN)
    if chosen:
        matmuls["chosen"] = lambda call: tuple(MATMULS[name] for name in chosen[call.layer])
    return matmuls


def _always(name: str) -> Choose:
    return lambda call: (MATMULS[name],) * 3


def _make_factors(
    call: LinearCall, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, ...]:
    """Return a random input, weight and gradient of the output of a linear layer."""
    shapes = ((call.rows, call.fan_in), (call.fan_out, call.fan_in), (call.rows, call.fan_out))
    return tuple(torch.randn(shape, device=device).to(dtype) for shape in shapes)


def build_matmul_bound(
    calls: Sequence[LinearCall],
    num_frames: int,
    hardware: Hardware,
    choose: Choose,
    *,
    train: bool,
) -> Contender:
    """Return the matrix multiplications of one pass over a batch, as a contender.

    A linear layer needs one for its output. When training, it needs a second one of the same
    size for the gradient of its weights, and all layers but the first need a third one for the
    gradient of their input.

    Args:
        calls: The uses of linear layers in a forward pass, in their order.
        num_frames: Frames of the batch.
        hardware: The device and the type of the factors.
        choose: Returns the implementations of a layer.
        train: Includes the backward pass.
    """
    device, dtype = hardware.device, hardware.input_dtype
    # The values do not matter for the time, so weights and gradients may be random.
    layers = [_make_factors(call, device, dtype) for call in calls]
    matmuls = [choose(call) for call in calls]

    def run() -> int:
        for (x, weight, _), (forward, *_) in zip(layers, matmuls, strict=True):
            forward(x, weight)
        for index in reversed(range(len(layers) if train else 0)):
            x, weight, dy = layers[index]
            _, input_gradient, weight_gradient = matmuls[index]
            weight_gradient(dy.t(), x.t())
            if calls[index].needs_input_gradient:  # nobody needs that of the features
                input_gradient(dy, weight.t())
        synchronize(device)
        return num_frames

    return run


def build_plain_step(
    network: nn.Module, hardware: Hardware
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a training step with Adam that maps inputs and labels to logits."""
    network.to(hardware.device).train()
    optimizer = torch.optim.Adam(network.parameters())

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        with hardware.autocast():
            logits: Tensor = network(inputs)
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        return logits

    return step


def build_plain_training(
    network: nn.Module, inputs: Tensor, num_frames: int, num_classes: int, hardware: Hardware
) -> Contender:
    """Return plain PyTorch steps on a single batch, which is on the device already.

    Args:
        network: Maps `inputs` to (num_frames, num_classes) logits.
        inputs: The batch.
        num_frames: Its frames.
        num_classes: The number of phones.
        hardware: The device and the precision.
    """
    step = build_plain_step(network, hardware)
    labels = torch.randint(num_classes, (num_frames,), device=hardware.device)

    def run() -> int:
        step(inputs, labels)
        synchronize(hardware.device)
        return num_frames

    return run


class FrameDataset(Dataset[tuple[Tensor, Tensor]]):
    """Windows of random features, cut out frame by frame in Python, as templates do."""

    def __init__(self, context: int, feature_dim: int, num_classes: int) -> None:
        self.rows = torch.randn(200_000, feature_dim)
        self.labels = torch.randint(num_classes, (len(self.rows),))
        self.context = context

    def __len__(self) -> int:
        return len(self.rows) - 2 * self.context

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        window = self.rows[index : index + 2 * self.context + 1]
        return window.reshape(-1), self.labels[index + self.context]


def build_python_loop(
    sizes: Sequence[int],
    dataset: FrameDataset,
    hardware: Hardware,
    batch_size: int,
    num_batches: int,
) -> Contender:
    """Return training with one `__getitem__` and one argmax per frame, in one process."""
    step = build_plain_step(build_plain_network(sizes), hardware)
    batches = _RepeatedBatches(DataLoader(dataset, batch_size, shuffle=True, drop_last=True))

    def run() -> int:
        correct = 0
        for _ in range(num_batches):
            inputs, labels = (tensor.to(hardware.device) for tensor in next(batches))
            # Templates count correct frames one by one, in Python.
            for row, label in zip(step(inputs, labels), labels, strict=True):
                correct += int(row.argmax() == label)
        return batch_size * num_batches

    return run


def build_worker_loop(
    sizes: Sequence[int], dataset: FrameDataset, hardware: Hardware, batch_size: int
) -> tuple[Contender, Callable[[], None]]:
    """Return training from a DataLoader with two workers, and a function that ends them.

    It cannot be interleaved with others: its workers also run between two calls.
    """
    step = build_plain_step(build_plain_network(sizes), hardware)
    loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True, num_workers=2)
    batches = _RepeatedBatches(loader)

    def run() -> int:
        inputs, labels = (tensor.to(hardware.device) for tensor in next(batches))
        step(inputs, labels)
        synchronize(hardware.device)
        return batch_size

    return run, batches.close


class _RepeatedBatches(Iterator[list[Tensor]]):
    """The batches of a loader, epoch after epoch without end."""

    def __init__(self, loader: DataLoader[tuple[Tensor, Tensor]]) -> None:
        self._loader = loader
        self._epoch = iter(loader)

    def __next__(self) -> list[Tensor]:
        try:
            batch: list[Tensor] = next(self._epoch)
        except StopIteration:
            self._epoch = iter(self._loader)
            batch = next(self._epoch)
        return batch

    def close(self) -> None:
        """End the loader's workers."""
        del self._epoch
