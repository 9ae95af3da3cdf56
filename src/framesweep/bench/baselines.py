"""What training is compared with: products alone, plain PyTorch, and loops in Python."""

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

Product = Callable[[Tensor, Tensor], Tensor]
"""a (M, K) and b (N, K) to a @ b.t()."""


def check(config: ModelConfig) -> None:
    """Raises ConfigError for a network that is more than the baselines' perceptron."""
    if not isinstance(config, MlpConfig) or config.conv_channels or config.residual:
        raise ConfigError(
            "--models",
            "must be perceptrons without convolutions or shortcuts",
            fix="Use small, base or wide.",
        )


def wait_for(device: torch.device) -> None:
    """Waits until an accelerator has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def product_kinds(device: torch.device) -> dict[str, Product]:
    """The ways to multiply matrices here, torch.mm first."""
    kinds: dict[str, Product] = {"torch.mm": lambda a, b: torch.mm(a, b.t())}
    if device.type == "cpu" and onednn.available():
        kinds["oneDNN"] = onednn.product
    return kinds


def products_alone(
    sizes: Sequence[int], batch_size: int, hardware: Hardware, product: Product, *, train: bool
) -> Contender:
    """The matrix products of a pass over one batch and nothing else.

    Args:
        sizes: values of the input, units of each layer, classes.
        train: with those of the backward pass, where the input needs no gradient.
    """
    dtype = hardware.input_dtype
    layers = [
        tuple(
            torch.randn(shape, device=hardware.device).to(dtype)
            for shape in ((batch_size, fan_in), (fan_out, fan_in), (batch_size, fan_out))
        )
        for fan_in, fan_out in pairwise(sizes)
    ]

    def run() -> int:
        for x, weight, _ in layers:
            product(x, weight)
        for index in reversed(range(len(layers) if train else 0)):
            x, weight, dy = layers[index]
            product(dy.t(), x.t())
            if index > 0:
                product(dy, weight.t())
        wait_for(hardware.device)
        return batch_size

    return run


def plain_network(sizes: Sequence[int], dropout: float = 0.2) -> nn.Sequential:
    """The network as one writes it in plain PyTorch."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers += [
            nn.Linear(fan_in, fan_out),
            nn.BatchNorm1d(fan_out),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def plain_step(network: nn.Module, hardware: Hardware) -> Callable[[Tensor, Tensor], Tensor]:
    """A training step by the plain modules and Adam: inputs and labels to logits."""
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


def plain_training(sizes: Sequence[int], batch_size: int, hardware: Hardware) -> Contender:
    """Plain PyTorch steps on one batch that is there already."""
    step = plain_step(plain_network(sizes), hardware)
    inputs = torch.randn(batch_size, sizes[0], device=hardware.device)
    labels = torch.randint(sizes[-1], (batch_size,), device=hardware.device)

    def run() -> int:
        step(inputs, labels)
        wait_for(hardware.device)
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


def python_loop(
    sizes: Sequence[int],
    dataset: FrameDataset,
    hardware: Hardware,
    batch_size: int,
    num_batches: int,
) -> Contender:
    """Training with `__getitem__` a frame and an argmax a frame, in one process."""
    step = plain_step(plain_network(sizes), hardware)
    batches = _forever(DataLoader(dataset, batch_size, shuffle=True, drop_last=True))

    def run() -> int:
        correct = 0
        for _ in range(num_batches):
            inputs, labels = (tensor.to(hardware.device) for tensor in next(batches))
            for row, label in zip(step(inputs, labels), labels, strict=True):
                correct += int(row.argmax() == label)
        return batch_size * num_batches

    return run


def worker_loop(
    sizes: Sequence[int], dataset: FrameDataset, hardware: Hardware, batch_size: int
) -> tuple[Contender, Callable[[], None]]:
    """Training from a DataLoader with two workers, and how to end them.

    The workers go on between two calls, so it cannot take turns with others.
    """
    step = plain_step(plain_network(sizes), hardware)
    loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True, num_workers=2)
    batches = _forever(loader)

    def run() -> int:
        inputs, labels = (tensor.to(hardware.device) for tensor in next(batches))
        step(inputs, labels)
        wait_for(hardware.device)
        return batch_size

    return run, batches.close


def _forever(loader: DataLoader[tuple[Tensor, Tensor]]) -> "_Batches":
    return _Batches(loader)


class _Batches(Iterator[list[Tensor]]):
    """Batches of a loader, epoch after epoch."""

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
        """Ends the loader's workers."""
        del self._epoch
