"""Networks that name the phone in the centre of a window, and how one is built."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from framesweep import distributed, kernels, layers, tdnn
from framesweep.blocks import Block
from framesweep.config import MlpConfig, ModelConfig, TdnnConfig
from framesweep.layers import Convolution, convolutions, layer_dropouts, solve_widths
from framesweep.tdnn import Tdnn


class ConvBlock(nn.Module):
    """A block that slides over time; (B, in_frames * in_width) -> (B, frames * width).

    All places share its weights and its norm's statistics, as in a time-delay network (Waibel
    et al., 1989): what a phone's parts look like is learnt once, wherever in a window they lie.
    """

    def __init__(self, config: MlpConfig, size: Convolution) -> None:
        super().__init__()
        self.size = size
        self.block = Block(config, size.patch_dim, size.width, config.conv_dropout)

    def forward(self, x: Tensor) -> Tensor:
        with distributed.rows_times(self.size.frames):
            y: Tensor = self.block(self._patches(x))
        return y.view(len(x), self.size.output_dim)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """As `Block.folded`."""
        block = self.block.folded(dtype)
        if block is None:
            return None
        return lambda x: block(self._patches(x)).view(len(x), self.size.output_dim)

    def _patches(self, x: Tensor) -> Tensor:
        """(B * frames, patch_dim): what it sees at each place of each window."""
        size = self.size
        seen = x[:, size.first * size.in_width :]
        patches = seen.unfold(1, size.patch_dim, size.stride * size.in_width)
        # Of one window alone the reshape is a view whose rows overlap, which products refuse.
        return patches[:, : size.frames].reshape(-1, size.patch_dim).contiguous()


class MLP(nn.Module):
    """Hidden blocks and a linear output; (B, input_dim) -> (B, num_classes) logits.

    Parameters are named `layers.<i>.linear.weight`, `layers.<i>.norm.weight`, ...,
    `output.weight`, `output.bias`; those of convolutions `convs.<i>.block.linear.weight`, ...
    """

    def __init__(
        self,
        config: MlpConfig,
        widths: Sequence[int],
        input_dim: int,
        num_classes: int,
        num_frames: int = 1,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.widths = tuple(widths)
        before = convolutions(config, input_dim, num_frames)
        self.convs = nn.ModuleList(ConvBlock(config, size) for size in before)
        sizes = (before[-1].output_dim if before else input_dim, *widths)
        dropouts = layer_dropouts(config, len(widths))
        self.layers = nn.ModuleList(
            Block(config, sizes[i], sizes[i + 1], dropout, residual=config.residual)
            for i, dropout in enumerate(dropouts)
        )
        self.output = nn.Linear(sizes[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.convs, *self.layers):
            x = layer(x)
        return kernels.linear(x, self.output)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The network in evaluation, until its weights change.

        Where each layer folds into one product, in `dtype`, that is faster; else it is the
        module itself, to be called under autocast.
        """
        blocks = (*self.convs, *self.layers)
        folded = [block.folded(dtype) for block in blocks]
        folded.append(kernels.fold(self.output, None, None, dtype))
        layers = [layer for layer in folded if layer is not None]
        if self.training or len(layers) < len(folded):
            return self

        def forward(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        return forward


Network = MLP | Tdnn


def build_model(
    config: ModelConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> Network:
    """Build the network that `config` describes, on the CPU, its weights drawn by torch's RNG.

    Args:
        config: the `model` group.
        input_dim: values in a window, (2*context+1) * mel bins.
        num_classes: number of phones.
        num_frames: frames in a window, along which convolutions slide.

    Raises:
        ConfigError: a key out of range, keys that contradict each other, or a
            `max_params` that no network can keep to.
    """
    check(config, num_frames // 2)
    model: Network
    match config:
        case MlpConfig():
            widths = solve_widths(config, input_dim, num_classes, num_frames)
            model = MLP(config, widths, input_dim, num_classes, num_frames)
        case TdnnConfig():
            model = Tdnn(config, input_dim // num_frames, num_classes, num_frames // 2)
        case _:
            raise TypeError(f"no network is built from {type(config).__name__}")
    _init_weights(model, config.init)
    return model


def check(config: ModelConfig, context: int) -> None:
    """Check the rules of the `model` group for windows of so many frames to each side.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    match config:
        case MlpConfig():
            num_frames = 2 * context + 1
            layers.convolutions(config, num_frames, num_frames)
        case TdnnConfig():
            tdnn.check(config)
            tdnn.check_reach(config, context)


@torch.no_grad()
def _init_weights(model: Network, init: str) -> None:
    """Draw weights anew, scaled for ReLU and its kin before the output; biases become zero."""
    if init == "default":
        return
    draws: dict[str, Callable[..., Tensor]] = {
        "kaiming": _kaiming_normal,
        "xavier": nn.init.xavier_uniform_,
        "orthogonal": nn.init.orthogonal_,
    }
    draw = draws[init]
    for module in model.modules():
        if isinstance(module, nn.Linear):
            draw(module.weight, gain=1.0 if module is model.output else math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _kaiming_normal(weight: Tensor, gain: float) -> Tensor:
    """Normal weights of standard deviation gain / sqrt(fan_in) (He et al., 2015)."""
    return nn.init.normal_(weight, std=gain / math.sqrt(weight.shape[1]))
