"""A trained network as one module from raw features to log-posteriors, for export.

Everything between the features of an utterance and its posteriors is part of the module, so
that whoever runs the exported file needs neither framesweep nor statistics of the corpus.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep.data.store.normalization import SMALLEST_STD, Normalizer
from framesweep.evaluation.predictor import Predictor
from framesweep.models.light_gru import LightGru
from framesweep.models.recurrent import BidirectionalLayer
from framesweep.models.sequence_network import SequenceNetwork

LAYER_PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
"""Parameters of an LSTM or a GRU of one layer and direction, by their names in torch."""
OPEN_GATE = 30.0
"""A bias from which a sigmoid is 1 in float32."""


class PortableNetwork(nn.Module):
    """Maps the (T, D) float32 features of an utterance to (T, C) log-posteriors.

    It computes what `Predictor.log_posteriors` does by operations that exporters know. No
    number of frames is taken as a Python number: a tracer would store it as a constant.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.normalize = _Normalization(predictor.normalizer, predictor.feature_dim)
        self.network = predictor.model
        self.feature_dim = predictor.feature_dim
        self.context = predictor.context
        self.replicates = predictor.padding == "replicate"

    def forward(self, features: Tensor) -> Tensor:
        if isinstance(self.network, SequenceNetwork):
            logits = self._classify_chunks(self.network, self.normalize(features))
            return F.log_softmax(logits.float(), dim=1)
        rows = self._pad(self.normalize(features))
        window = torch.arange(2 * self.context + 1)
        frames = torch.arange(features.shape[0]).unsqueeze(1) + window
        return F.log_softmax(self.network(rows[frames].flatten(1)).float(), dim=1)

    def _classify_chunks(self, network: SequenceNetwork, features: Tensor) -> Tensor:
        """Return the (T, C) logits, chunk by chunk as `cut_utterances` cuts."""
        frames, size = torch.arange(features.shape[0]), network.chunk_frames
        total = frames[-1] + 1
        count = (total + size - 1) // size
        # As many indices as chunks, without a number of Python.
        indices = frames[: (features.shape[0] + size - 1) // size]
        starts, stops = indices * total // count, (indices + 1) * total // count
        firsts = (starts - self.context).clamp(min=0)
        lengths = torch.minimum(stops + self.context, total) - firsts
        positions = frames[: size + 2 * self.context]
        rows = firsts.unsqueeze(1) + torch.minimum(positions, lengths.unsqueeze(1) - 1)
        logits: Tensor = network(features[rows].flatten(1), None, lengths)
        chunk = (frames.unsqueeze(1) >= stops).sum(dim=1)
        return logits[chunk * positions.shape[0] + frames - firsts[chunk]]

    def _pad(self, features: Tensor) -> Tensor:
        """Return (context + T + context, D): with zeros or the edge frames, as `pad` does."""
        if self.context == 0:
            return features
        if not self.replicates:
            return F.pad(features, (0, 0, self.context, self.context))
        before, after = features[:1], features[-1:]
        return torch.cat([before] * self.context + [features] + [after] * self.context)


class _Normalization(nn.Module):
    """Computes what `Normalizer` does, in float64 as there; (T, D) to (T, D) float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, normalizer: Normalizer, feature_dim: int) -> None:
        super().__init__()
        self.kind = normalizer.kind
        self.window = normalizer.window
        for name, default in (("mean", 0.0), ("std", 1.0)):
            known = getattr(normalizer, name)
            values = [default] * feature_dim if known is None else known.tolist()
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, features: Tensor) -> Tensor:
        if self.kind == "none":
            return features
        x = features.double()
        if self.kind == "sliding":
            mean, std = self._sliding_statistics(x)
        elif self.kind == "global":
            mean, std = self.mean, self.std
        else:
            # As for a single utterance there: no other one of its speaker is known.
            mean = x.mean(dim=0)
            std = ((x - mean) ** 2).mean(dim=0).sqrt()
        return ((x - mean) / std.clamp(min=SMALLEST_STD)).float()

    def _sliding_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (T, D) mean and deviation over the window around each frame."""
        frames = torch.arange(x.shape[0])
        num_frames = frames[-1] + 1
        size = num_frames.clamp(max=self.window)
        starts = torch.minimum((frames - size // 2).clamp(min=0), num_frames - size)
        offset = x.mean(dim=0)
        sums = F.pad((x - offset).cumsum(dim=0), (0, 0, 1, 0))
        squares = F.pad(((x - offset) ** 2).cumsum(dim=0), (0, 0, 1, 0))
        mean = (sums[starts + size] - sums[starts]) / size
        variance = (squares[starts + size] - squares[starts]) / size - mean**2
        return mean + offset, variance.clamp(min=0).sqrt()


class OnnxRecurrence(nn.Module):
    """A recurrent layer in one direction as one operator of ONNX; (N, S, in) to ((N, S, W),).

    The exporter of torch follows a layer step by step, which takes minutes for long chunks and
    fails for some shapes. A light GRU is a GRU with an open reset gate and a rectified
    candidate, which reads the inputs of the two other gates after their norm.
    """

    weights: Tensor
    recurrent: Tensor
    bias: Tensor

    def __init__(self, layer: nn.LSTM | nn.GRU | LightGru) -> None:
        super().__init__()
        self.before: nn.Module = nn.Identity()
        self.attributes: dict[str, Any] = {}
        order: tuple[int, ...] = (0, 3, 1, 2)
        self.operator = "LSTM"
        if not isinstance(layer, nn.LSTM):
            order, self.operator = (1, 0, 2), "GRU"
            self.attributes["linear_before_reset"] = 1
        if isinstance(layer, LightGru):
            self.before = nn.Sequential(layer.input, layer.norm)
            self.attributes["activations"] = ["Sigmoid", "Relu"]
            parameters = _complete_gates(layer.recurrent.detach())
        else:
            parameters = [getattr(layer, name).detach() for name in LAYER_PARAMETERS]
        # ONNX has the gates in another order than torch.
        parameters = [
            torch.cat([part.chunk(len(order))[gate] for gate in order]) for part in parameters
        ]
        self.attributes["hidden_size"] = parameters[1].shape[1]
        self.register_buffer("weights", parameters[0].unsqueeze(0))
        self.register_buffer("recurrent", parameters[1].unsqueeze(0))
        self.register_buffer("bias", torch.cat(parameters[2:]).unsqueeze(0))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        steps = self.before(x).transpose(0, 1)
        y = torch.onnx.ops.symbolic(
            self.operator,
            (steps, self.weights, self.recurrent, self.bias),
            self.attributes,
            dtype=steps.dtype,
            shape=(steps.shape[0], 1, steps.shape[1], self.attributes["hidden_size"]),
        )
        return (y.squeeze(1).transpose(0, 1),)


def keep_loops(portable: PortableNetwork) -> PortableNetwork:
    """Return a copy for the tracer of TorchScript, which would write out a loop by steps."""
    portable = copy.deepcopy(portable)
    for module in portable.modules():
        if isinstance(module, LightGru):
            module.script_loop()
    return portable


def use_onnx_operators(portable: PortableNetwork) -> PortableNetwork:
    """Return a copy for the exporter to ONNX, in which a recurrent layer is one operator."""
    portable = copy.deepcopy(portable)
    for module in portable.modules():
        if isinstance(module, BidirectionalLayer):
            module.ahead = _use_onnx_operator(module.ahead)
            module.back = _use_onnx_operator(module.back)
    return portable.eval()


def _use_onnx_operator(layer: nn.Module) -> nn.Module:
    if isinstance(layer, LightGru):
        return OnnxRecurrence(layer)
    names = tuple(name for name, _ in layer.named_parameters())
    if isinstance(layer, nn.LSTM | nn.GRU) and names == LAYER_PARAMETERS:
        return OnnxRecurrence(layer)
    return layer  # of a network of a user


def _complete_gates(recurrent: Tensor) -> list[Tensor]:
    """Return the parameters of the GRU that computes what a light GRU does, as torch has them.

    Its gates are (reset, update, candidate), and `recurrent`, (2 * width, width), holds the
    last two of them.
    """
    double, width = recurrent.shape
    inputs = F.pad(torch.eye(double), (0, 0, width, 0))
    bias = torch.cat((torch.full((width,), OPEN_GATE), torch.zeros(double)))
    return [inputs, F.pad(recurrent, (0, 0, width, 0)), bias, torch.zeros_like(bias)]
