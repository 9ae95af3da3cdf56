"""A trained network as one module from raw features to log-posteriors, for export.

Everything between the features of an utterance and its posteriors is part of the module, so
that whoever runs the exported file needs neither framesweep nor statistics of the corpus.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep.data.store.normalization import SMALLEST_STD, Normalizer
from framesweep.evaluation.predictor import Predictor
from framesweep.models.sequence_network import SequenceNetwork


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
        positions = torch.arange(size + 2 * self.context)
        rows = firsts.unsqueeze(1) + torch.minimum(positions, lengths.unsqueeze(1) - 1)
        logits: Tensor = network(features[rows].flatten(1), None, lengths)
        chunk = (frames.unsqueeze(1) >= stops).sum(dim=1)
        return logits[chunk * len(positions) + frames - firsts[chunk]]

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
