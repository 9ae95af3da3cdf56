"""A recurrent layer with one gate, which torch does not have."""

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config.networks.recurrent import SequenceConfig
from framesweep.kernels.recurrence import LIGHT_GRU
from framesweep.models.sequence_network import build_norm


class LightGru(nn.Module):
    """A light GRU in one direction, whose states have `width` values.

    Of the gates of a GRU it keeps the one that updates the state, and the candidate for the new
    state is rectified (Ravanelli et al., 2018, arXiv:1803.10225, equations 4 to 7):

        (z_in, c_in) = norm(W x + b)
        z = sigmoid(z_in + U_z h)
        c = relu(c_in + U_c h)
        h' = z * h + (1 - z) * c

    The paper normalizes each unit by batch, which would include the padding of shorter
    sequences. Here it is a layer norm over z_in and c_in together, or none. The state is
    float32 in any precision, because its errors add up from step to step.

    Parameters are `input.weight`, (2 * width, in), and `input.bias`, with the rows of z first;
    `norm.weight` and `norm.bias`; and `recurrent`, (2 * width, width), with U_z and U_c.
    """

    def __init__(self, config: SequenceConfig, in_width: int, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(in_width, 2 * width)
        self.norm = build_norm(config, 2 * width)
        self.recurrent = nn.Parameter(torch.empty(2 * width, width))
        for gate in self.recurrent.chunk(2):
            nn.init.orthogonal_(gate)
        self._recur = recur

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, S, in) to the (N, S, width) states, and the (N, width) state of step S."""
        gates = self.norm(self.input(x)).to(self.recurrent.dtype)
        if self.training and kernels.can_recur(gates):
            states = kernels.recur(LIGHT_GRU, gates, self.recurrent)
            return states, states[:, -1]
        kind = x.device.type
        if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
            return self._recur(gates, self.recurrent)
        with torch.autocast(kind, enabled=False):
            return self._recur(gates, self.recurrent)

    def exclude_loop(self) -> None:
        """Leave the loop over the steps out of what is compiled, which would unroll it."""
        self._recur = torch.compiler.disable(recur)  # type: ignore[no-untyped-call]

    def script_loop(self) -> None:
        """Let a tracer record the loop over the steps in place of each step."""
        self._recur = torch.jit.script(recur)


def recur(gates: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (N, S, width) states and the last one, from (N, S, 2 * width) gates."""
    weight = recurrent.t()
    state = gates.new_zeros(gates.shape[0], weight.shape[0])
    states = []
    for step in gates.unbind(1):
        update, candidate = torch.addmm(step, state, weight).chunk(2, dim=1)
        state = torch.lerp(torch.relu(candidate), state, torch.sigmoid(update))
        states.append(state)
    return torch.stack(states, dim=1), state
