"""Matrix products by oneDNN against torch's own."""

import pytest
import torch

from framesweep.kernels import matmul

pytestmark = pytest.mark.skipif(not matmul.available(), reason="needs oneDNN")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_product_is_that_of_torch(dtype, with_bias):
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(20, 7, generator=generator).to(dtype)
    b = torch.randn(5, 7, generator=generator).to(dtype)
    bias = torch.randn(5, generator=generator).to(dtype) if with_bias else None
    found = matmul.multiply(a, b, bias)
    expected = torch.nn.functional.linear(a.double(), b.double())
    expected = expected if bias is None else expected + bias.double()
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 2**-6
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)


def test_either_factor_may_be_a_transposed_view():
    a, b = torch.randn(7, 20), torch.randn(7, 5)
    torch.testing.assert_close(matmul.multiply(a.t(), b.t()), a.t() @ b, atol=1e-5, rtol=1e-5)
