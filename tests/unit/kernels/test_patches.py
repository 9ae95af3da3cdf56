"""Patches and their gradient are those of torch's own operations."""

import pytest
import torch

from framesweep.kernels import layers
from framesweep.kernels.patches import PatchShape, take_patches

SHAPES = [
    PatchShape(kernel=3, dilation=1, stride=1, num_patches=8),
    PatchShape(kernel=3, dilation=2, stride=3, num_patches=2),
    PatchShape(kernel=5, dilation=1, stride=2, num_patches=3, first=1),
    PatchShape(kernel=1, dilation=4, stride=1, num_patches=10),
    PatchShape(kernel=2, dilation=1, stride=2, num_patches=5),
]


def copier(shape: PatchShape):
    def copy(x: torch.Tensor) -> torch.Tensor:
        seen = [x[:, shape.frames(k)] for k in range(shape.kernel)]
        return torch.cat(seen, dim=2).flatten(0, 1)

    return copy


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_patches_and_their_gradient_are_those_of_torch(shape, dtype) -> None:
    copy = copier(shape)
    x = torch.randn(4, 10, 6).to(dtype).requires_grad_()
    own, expected = take_patches(x, shape, copy), copy(x)
    assert own.grad_fn is not None
    assert type(own.grad_fn) is not type(expected.grad_fn)
    assert torch.equal(own, expected)
    dy = torch.randn_like(own)
    gradients = [torch.autograd.grad(y, x, dy)[0] for y in (own, expected)]
    assert gradients[0].dtype == dtype
    # The order of the sums is the same, so that their rounding is.
    assert torch.equal(*gradients)


@pytest.mark.parametrize("num_items", [1, 4])
def test_patches_of_every_other_frame_are_those_of_torch(num_items) -> None:
    shape = PatchShape(kernel=3, dilation=1, stride=1, num_patches=2, first=1)
    every = torch.randn(num_items, 10, 6)
    for x in (every[:, ::2], every.transpose(1, 2)[:, :, :5].contiguous().transpose(1, 2)):
        assert torch.equal(take_patches(x, shape, copier(shape)), copier(shape)(x))


def test_without_loops_torch_takes_the_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "has_loops", lambda x: False)
    shape, x = SHAPES[2], torch.randn(4, 10, 6, requires_grad=True)
    patches = take_patches(x, shape, copier(shape))
    assert type(patches.grad_fn) is type(copier(shape)(x).grad_fn)
    assert torch.equal(take_patches(x, shape), patches)


def test_patches_of_no_utterances_have_a_gradient() -> None:
    x = torch.randn(0, 10, 6, requires_grad=True)
    take_patches(x, SHAPES[0], copier(SHAPES[0])).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape


def test_torch_takes_the_patches_of_what_needs_no_gradient() -> None:
    shape, x = SHAPES[0], torch.randn(4, 10, 6)
    assert take_patches(x, shape, copier(shape)).grad_fn is None
    with torch.no_grad():
        x.requires_grad_()
        assert take_patches(x, shape, copier(shape)).grad_fn is None


def test_frames_are_those_that_the_patches_read() -> None:
    shape = PatchShape(kernel=3, dilation=2, stride=3, num_patches=4, first=1)
    frames = torch.arange(100)
    assert frames[shape.frames(0)].tolist() == [1, 4, 7, 10]
    assert frames[shape.frames(2)].tolist() == [5, 8, 11, 14]
