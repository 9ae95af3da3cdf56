"""The fused kernels against the plain modules, in float64, with the same dropout mask."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.kernels import activations, layers
from thread_counts import require_equal_bits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs GNU OpenMP")
ACTIVATIONS = [name for name, one in activations.ACTIVATIONS.items() if one.loop]
DTYPES = {torch.float32: 2e-5, torch.bfloat16: 2**-6}


def kept(shape: tuple[int, int], p: float, seed: int) -> Tensor:
    """The mask that `seed` gives: of ones, dropout leaves 1 / (1 - p) or nothing."""
    torch.manual_seed(seed)
    return kernels.norm_activate_drop(torch.ones(shape), nn.Identity(), "relu", p) > 0


def module(activation: str) -> nn.Module:
    return activations.ACTIVATIONS[activation].module()


def plain(x: Tensor, norm: nn.Module, activation: str, mask: Tensor, p: float) -> Tensor:
    return module(activation)(norm(x)) * mask / (1 - p)


def noisy_norm(width: int) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(width)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize(
    ("activation", "dtype"),
    [
        *((activation, torch.float32) for activation in ACTIVATIONS),
        *((activation, torch.bfloat16) for activation in ("relu", "gelu")),
    ],
)
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(2, 1), (65, 17), (200, 48)])
@pytest.mark.parametrize("with_norm", [True, False])
def test_values_gradients_and_statistics_are_the_plain_modules(
    dtype: torch.dtype, activation: str, p: float, shape: tuple[int, int], with_norm: bool
) -> None:
    torch.manual_seed(1)
    x = (3 * torch.randn(shape) + 1).to(dtype).requires_grad_()
    dy = torch.randn(shape).to(dtype)
    norm = noisy_norm(shape[1]) if with_norm else nn.Identity()
    oracle = noisy_norm(shape[1]).double() if with_norm else nn.Identity()
    oracle.load_state_dict(norm.state_dict())
    mask = kept(shape, p, seed=2)
    torch.manual_seed(2)
    y = kernels.norm_activate_drop(x, norm, activation, p)
    y.backward(dy)
    exact = x.detach().double().requires_grad_()
    expected = plain(exact, oracle, activation, mask, p)
    expected.backward(dy.double())

    assert y.dtype == x.dtype
    tolerance = DTYPES[dtype]
    # Two rows lie at +-1 however close they are: there the gradient is all cancellation.
    scale = max(1.0, float(expected.detach().abs().max()))
    assert torch.allclose(y.double(), expected, atol=tolerance * scale, rtol=tolerance)
    assert x.grad is not None
    assert exact.grad is not None
    assert torch.allclose(x.grad.double(), exact.grad, atol=20 * tolerance, rtol=tolerance)
    for name, value in oracle.state_dict().items():
        assert torch.allclose(norm.state_dict()[name].double(), value.double(), rtol=1e-5)
    for ours, theirs in zip(norm.parameters(), oracle.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(ours.grad.double(), theirs.grad, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.9])
def test_dropout_keeps_its_share_in_all_rows_and_columns(p: float) -> None:
    rows, columns = 1000, 800
    mask = kept((rows, columns), p, seed=3).double()
    deviation = math.sqrt(p * (1 - p))
    assert abs(mask.mean() - (1 - p)) < 4 * deviation / math.sqrt(mask.numel())
    # 5 sigma, as these are hundreds of draws each.
    assert (mask.mean(dim=0) - (1 - p)).abs().max() < 5 * deviation / math.sqrt(rows)
    assert (mask.mean(dim=1) - (1 - p)).abs().max() < 5 * deviation / math.sqrt(columns)
    centered = (mask - (1 - p)) / deviation
    for other in (
        centered.roll(1, dims=0),
        centered.roll(1, dims=1),
        (kept((rows, columns), p, seed=4).double() - (1 - p)) / deviation,
    ):
        assert abs((centered * other).mean()) < 5 / math.sqrt(mask.numel())
    between_rows = (centered @ centered.t() / columns).fill_diagonal_(0.0)
    spread = float(between_rows.square().sum() / (rows * (rows - 1)))
    assert spread == pytest.approx(1 / columns, rel=0.05)


def test_dropout_of_nearly_all_is_within_its_words() -> None:
    assert not kept((50, 60), 1 - 1e-12, seed=5).any()


def test_dropout_follows_torch_s_generator() -> None:
    first = kept((50, 60), 0.5, seed=5)
    state = torch.get_rng_state()
    second = layers.norm_activate_drop(torch.ones(50, 60), nn.Identity(), "relu", 0.5)
    torch.set_rng_state(state)
    again = layers.norm_activate_drop(torch.ones(50, 60), nn.Identity(), "relu", 0.5)
    assert torch.equal(kept((50, 60), 0.5, seed=5), first)
    assert torch.equal(second, again)
    assert not torch.equal(second > 0, first)


def test_the_number_of_threads_changes_no_bit() -> None:
    def run() -> list[Tensor]:
        torch.manual_seed(6)
        norm = noisy_norm(33)
        x = torch.randn(300, 33, requires_grad=True)
        y = kernels.norm_activate_drop(x, norm, "gelu", 0.2)
        y.square().sum().backward()
        assert x.grad is not None
        assert norm.weight.grad is not None
        assert norm.running_var is not None
        return [y, x.grad, norm.weight.grad, norm.running_var]

    require_equal_bits(run, (1, 2, 3))


def test_a_large_mean_leaves_the_variance_exact() -> None:
    torch.manual_seed(7)
    x = torch.randn(2048, 8) + 10_000
    norm = nn.BatchNorm1d(8, momentum=1.0)
    kernels.norm_activate_drop(x, norm, "relu", 0.0)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert torch.allclose(norm.running_mean.double(), x.double().mean(0), rtol=1e-6)
    assert torch.allclose(norm.running_var.double(), x.double().var(0), rtol=1e-4)


@pytest.mark.parametrize(
    ("activation", "dtype"),
    [
        *((activation, torch.float32) for activation in ACTIVATIONS),
        ("relu", torch.bfloat16),
    ],
)
def test_nan_comes_through(activation: str, dtype: torch.dtype) -> None:
    x = torch.tensor([[math.nan, 1.0], [1.0, 2.0]], dtype=dtype)
    y = kernels.norm_activate_drop(x, nn.Identity(), activation, 0.0)
    assert y.isnan().tolist() == [[True, False], [False, False]]
    assert kernels.norm_activate_drop(x, nn.BatchNorm1d(2), activation, 0.0)[:, 0].isnan().all()


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_activations_hold_far_out(activation: str) -> None:
    z = torch.cat((torch.linspace(-120, 120, 4001), torch.tensor([-3e38, 3e38])))
    x = torch.stack((z, z)).requires_grad_()
    y = kernels.norm_activate_drop(x, nn.Identity(), activation, 0.0)
    y.sum().backward()
    exact = x.detach().double().requires_grad_()
    expected = module(activation)(exact)
    expected.sum().backward()
    assert x.grad is not None
    assert exact.grad is not None
    assert torch.allclose(y.double(), expected, atol=1e-6, rtol=1e-6)
    assert torch.allclose(x.grad.double(), exact.grad, atol=1e-6, rtol=1e-6)


def test_without_numba_the_plain_modules_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_compiled", lambda: False)
    assert not kernels.available(torch.zeros(4, 4))


def test_other_types_and_devices_are_left_to_the_plain_modules() -> None:
    assert not kernels.available(torch.zeros(4, 4, dtype=torch.float64))
    assert not kernels.available(torch.zeros(4, 4, dtype=torch.float16))
    assert not kernels.available(torch.zeros(4, 4, device="meta"))
    assert not kernels.available(torch.zeros(1, 4))


def test_loops_on_disk_are_found_by_what_is_compiled_into_them(tmp_path: Path) -> None:
    package = tmp_path / "framesweep"
    shutil.copytree(
        Path(kernels.__file__).parents[1],
        package,
        ignore=lambda folder, names: [n for n in names if n == "__pycache__"],
    )
    script = (
        "import torch; from torch import nn; from framesweep import kernels;"
        "x = torch.full((2, 2), -1.0);"
        "print(kernels.norm_activate_drop(x, nn.Identity(), 'leaky_relu', 0.0)[0, 0].item())"
    )

    def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )
        return float(done.stdout)

    assert run() == pytest.approx(-0.01)
    source = package / "kernels" / "activations.py"
    source.write_text(source.read_text().replace("np.float32(0.01)", "np.float32(0.5)"))
    assert run() == pytest.approx(-0.5)
