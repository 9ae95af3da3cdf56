"""What training is compared with: an upper bound, plain PyTorch, and loops in Python.

The upper bound consists of the matrix multiplications of a training step and of nothing else.
No training of the same network can be faster with the same multiplications, so its ratio to
the bound says which share of the time everything else costs: gathering windows, norms,
activations, dropout, the loss, the optimizer. The other baselines are how people train such a
network without this project.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from framesweep.bench.timing import Contender
from framesweep.config import MlpConfig, ModelConfig
from framesweep.errors import ConfigError
from framesweep.kernels import matmul as onednn
from framesweep.system.hardware import Hardware

Matmul = Callable[[Tensor, Tensor], Tensor]
"""Returns a @ b.t() for a (M, K) and b (N, K)."""


def require_plain_mlp(config: ModelConfig) -> None:
    """Raise ConfigError unless the network is a perceptron, as the baselines are."""
    if not isinstance(config, MlpConfig) or config.conv_channels or config.residual:
        raise ConfigError(
            "--models",
            "must be perceptrons without convolutions or shortcuts",
            fix="Use small, base or wide.",
        )


def synchronize(device: torch.device) -> None:
    """Wait until an accelerator has finished all work that was queued on it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def list_matmuls(device: torch.device) -> dict[str, Matmul]:
    """Return the implementations of matrix multiplication for this device, by name.

    Which one is the fastest depends on the shapes and on the processor; the upper bound is the
    fastest of them.
    """
    matmuls: dict[str, Matmul] = {"torch.mm": lambda a, b: torch.mm(a, b.t())}
    if device.type == "cpu" and onednn.available():
        matmuls["oneDNN"] = onednn.multiply
    return matmuls


def build_matmul_bound(
    sizes: Sequence[int], batch_size: int, hardware: Hardware, matmul: Matmul, *, train: bool
) -> Contender:
    """Return the matrix multiplications of one pass over a batch, as a contender.

    A linear layer needs one for its output. When training, it needs a second one of the same
    size for the gradient of its weights, and all layers but the first need a third one for the
    gradient of their input.

    Args:
        sizes: values in the input, units of each hidden layer, number of classes.
        train: includes the backward pass.
    """
    dtype = hardware.input_dtype
    # The values do not matter for the time, so weights and gradients may be random.
    layers = [
        tuple(
            torch.randn(shape, device=hardware.device).to(dtype)
            for shape in ((batch_size, fan_in), (fan_out, fan_in), (batch_size, fan_out))
        )
        for fan_in, fan_out in pairwise(sizes)
    ]

    def run() -> int:
        for x, weight, _ in layers:
            matmul(x, weight)
        for index in reversed(range(len(layers) if train else 0)):
            x, weight, dy = layers[index]
            matmul(dy.t(), x.t())
            if index > 0:  # nobody needs the gradient of the features
                matmul(dy, weight.t())
        synchronize(hardware.device)
        return batch_size

    return run


def build_plain_network(sizes: Sequence[int], dropout: float = 0.2) -> nn.Sequential:
    """Return the network as one writes it in plain PyTorch, (B, sizes[0]) to (B, sizes[-1])."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers += [
            nn.Linear(fan_in, fan_out),
            nn.BatchNorm1d(fan_out),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


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
    sizes: Sequence[int], batch_size: int, hardware: Hardware
) -> Contender:
    """Return plain PyTorch steps on a single batch, which is on the device already."""
    step = build_plain_step(build_plain_network(sizes), hardware)
    inputs = torch.randn(batch_size, sizes[0], device=hardware.device)
    labels = torch.randint(sizes[-1], (batch_size,), device=hardware.device)

    def run() -> int:
        step(inputs, labels)
        synchronize(hardware.device)
        return batch_size

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
