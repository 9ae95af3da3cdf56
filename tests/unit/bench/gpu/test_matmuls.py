"""The recorder finds all multiplications of a step and repeats their shapes."""

import torch
from torch import nn

from framesweep.bench.gpu.matmuls import MatmulRecorder, capture


def test_a_step_of_a_perceptron_has_its_known_number_of_operations():
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    recorder = MatmulRecorder()
    with recorder:
        network(torch.randn(7, 6)).sum().backward()
    # The first layer needs no gradient of its input.
    assert recorder.flops == 2 * 7 * (2 * 6 * 5 + 3 * 5 * 3)


def test_convolutions_are_counted_with_the_gradients_that_they_need():
    convolution = nn.Conv1d(4, 8, 3)
    recorder = MatmulRecorder()
    with recorder:
        convolution(torch.randn(2, 4, 10)).sum().backward()
    assert recorder.flops == 2 * (2 * 2 * 8 * 8 * 4 * 3)


def test_a_replay_repeats_the_recorded_shapes_and_types():
    first, again = MatmulRecorder(), MatmulRecorder()
    a, b = torch.randn(9, 4).bfloat16(), torch.randn(4, 5).bfloat16()
    with first:
        torch.mm(a, b)
        torch.addmm(torch.zeros(9).bfloat16(), a, torch.randn(9, 4).bfloat16().t())
        torch.relu(a)
    replay = capture(first.build_replay(), torch.device("cpu"))
    with again:
        replay()
    assert again.flops == first.flops == 2 * 9 * 4 * (5 + 9)
    first.clear()
    assert first.flops == 0
