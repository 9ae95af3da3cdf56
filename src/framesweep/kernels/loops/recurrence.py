"""Loops over one step of gated recurrent layers, compiled by numba: all but its product.

Each function here returns the address of a C function for `openmp.run_on_threads`, as in
`rows`. All arrays are float32, for N sequences and states of width W, and the gates of a step
are (N, G, W) in the order of the layer's weights. A forward loop takes pointers to

    (2,) int64 N and W; hidden (N, G, W), the product of the last state; its bias (G, W);
    gates, before their activation and without that product; last state (N, W); memory (N, W);
    state (N, W)

It replaces the gates by their activations, and sets the state and `memory`, which is what the
backward pass needs in addition. A backward loop takes pointers to

    (2,) int64 N and W; carry (N, W); dL/dstate by the next step's product; the activated gates;
    last state; memory; dL/dstate by the layer's output; dL/dgates; dL/dhidden

where `carry` is dL/dstate by all other ways that lead through the next step.
"""

# numba gives the loops their types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc, njit

from framesweep.kernels.compilation import INLINE, OPTIONS
from framesweep.kernels.elementary import ONE, ZERO, sigmoid, tanh
from framesweep.kernels.loops.regions import CHECKSUM, SIGNATURE, my_share


@njit(**INLINE)
def _sigmoid(z):
    """Return the logistic function, and NaN for NaN."""
    return z if z != z else sigmoid(z)  # noqa: PLR0124


@njit(**INLINE)
def _tanh(z):
    """Return the hyperbolic tangent, and NaN for NaN."""
    return z if z != z else tanh(z)  # noqa: PLR0124


@cache
def compile_gru_forward() -> int:
    """Compile a step of a GRU (Cho et al., 2014), as torch computes it:

        r = sigmoid(r_in + h_r)
        z = sigmoid(z_in + h_z)
        c = tanh(c_in + r * h_c)
        state = z * last + (1 - z) * c

    where h is `hidden` plus `bias`, and `memory` is h_c.
    """
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        n, w = carray(job[0], (2,), np.int64)
        hidden, bias = carray(job[1], (n, 3, w), np.float32), carray(job[2], (3, w), np.float32)
        gates, last = carray(job[3], (n, 3, w), np.float32), carray(job[4], (n, w), np.float32)
        memory, states = carray(job[5], (n, w), np.float32), carray(job[6], (n, w), np.float32)
        first, end = my_share(n, checksum)
        for i in range(first, end):
            gate, part = gates[i], hidden[i]
            for j in range(w):
                r = _sigmoid(gate[0, j] + (part[0, j] + bias[0, j]))
                z = _sigmoid(gate[1, j] + (part[1, j] + bias[1, j]))
                inner = part[2, j] + bias[2, j]
                c = _tanh(gate[2, j] + r * inner)
                gate[0, j], gate[1, j], gate[2, j] = r, z, c
                memory[i, j] = inner
                states[i, j] = z * last[i, j] + (ONE - z) * c

    return int(region.address)


@cache
def compile_gru_backward() -> int:
    """Compile the gradient of a step of a GRU."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        n, w = carray(job[0], (2,), np.int64)
        carry, ahead = carray(job[1], (n, w), np.float32), carray(job[2], (n, w), np.float32)
        gates, last = carray(job[3], (n, 3, w), np.float32), carray(job[4], (n, w), np.float32)
        memory, above = carray(job[5], (n, w), np.float32), carray(job[6], (n, w), np.float32)
        gradients = carray(job[7], (n, 3, w), np.float32)
        hidden_gradients = carray(job[8], (n, 3, w), np.float32)
        first, end = my_share(n, checksum)
        for i in range(first, end):
            gate, gradient, hidden = gates[i], gradients[i], hidden_gradients[i]
            for j in range(w):
                r, z, c = gate[0, j], gate[1, j], gate[2, j]
                dh = above[i, j] + ahead[i, j] + carry[i, j]
                dz = dh * (last[i, j] - c) * z * (ONE - z)
                dc = dh * (ONE - z) * (ONE - c * c)
                dr = dc * memory[i, j] * r * (ONE - r)
                gradient[0, j], gradient[1, j], gradient[2, j] = dr, dz, dc
                hidden[0, j], hidden[1, j], hidden[2, j] = dr, dz, dc * r
                carry[i, j] = dh * z

    return int(region.address)


@cache
def compile_light_gru_forward() -> int:
    """Compile a step of `models.light_gru.LightGru`, without `memory`."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        n, w = carray(job[0], (2,), np.int64)
        hidden, gates = (
            carray(job[1], (n, 2, w), np.float32),
            carray(job[3], (n, 2, w), np.float32),
        )
        last, states = carray(job[4], (n, w), np.float32), carray(job[6], (n, w), np.float32)
        first, end = my_share(n, checksum)
        for i in range(first, end):
            gate, part = gates[i], hidden[i]
            for j in range(w):
                z = _sigmoid(gate[0, j] + part[0, j])
                c = gate[1, j] + part[1, j]
                c = ZERO if c <= ZERO else c
                gate[0, j], gate[1, j] = z, c
                states[i, j] = z * last[i, j] + (ONE - z) * c

    return int(region.address)


@cache
def compile_light_gru_backward() -> int:
    """Compile the gradient of a step of a light GRU, whose dL/dhidden is dL/dgates."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        n, w = carray(job[0], (2,), np.int64)
        carry, ahead = carray(job[1], (n, w), np.float32), carray(job[2], (n, w), np.float32)
        gates, last = carray(job[3], (n, 2, w), np.float32), carray(job[4], (n, w), np.float32)
        above, gradients = (
            carray(job[6], (n, w), np.float32),
            carray(job[7], (n, 2, w), np.float32),
        )
        first, end = my_share(n, checksum)
        for i in range(first, end):
            gate, gradient = gates[i], gradients[i]
            for j in range(w):
                z, c = gate[0, j], gate[1, j]
                dh = above[i, j] + ahead[i, j] + carry[i, j]
                gradient[0, j] = dh * (last[i, j] - c) * z * (ONE - z)
                gradient[1, j] = dh * (ONE - z) if c > ZERO else ZERO
                carry[i, j] = dh * z

    return int(region.address)
