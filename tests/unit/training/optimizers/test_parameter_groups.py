"""Which parameters decay."""

import torch
from torch import nn

from framesweep.training.optimizers.parameter_groups import split_by_decay


def test_matrices_decay_and_vectors_do_not():
    linear, norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
    matrices, vectors = split_by_decay(0.1, [*linear.parameters(), *norm.parameters()])
    assert matrices["weight_decay"] == 0.1
    assert [id(p) for p in matrices["params"]] == [id(linear.weight)]
    assert vectors["weight_decay"] == 0.0
    assert [id(p) for p in vectors["params"]] == [
        id(p) for p in (linear.bias, norm.weight, norm.bias)
    ]


def test_a_group_without_parameters_is_left_out():
    (group,) = split_by_decay(0.1, [torch.zeros(2)])
    assert group["weight_decay"] == 0.0
