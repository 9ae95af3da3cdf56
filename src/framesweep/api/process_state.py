"""What a call changes in its process outside of framesweep, and restores."""

import os
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import backends

from framesweep.tracking.mlflow_import import restored_mlflow

_TORCH: Any = backends  # whose types leave out what is set here
_FLOAT32_PRODUCTS = (
    _TORCH,
    *(_TORCH.cuda.matmul, _TORCH.cudnn, _TORCH.cudnn.conv, _TORCH.cudnn.rnn),
    *(_TORCH.mkldnn, _TORCH.mkldnn.matmul, _TORCH.mkldnn.conv, _TORCH.mkldnn.rnn),
)
"""Where torch keeps how it rounds the factors of float32 products; a CPU's are mkldnn's."""


@contextmanager
def restored_process() -> Iterator[None]:
    """Restore `sys.argv`, the mode of new files, and the state of torch and MLflow."""
    arguments = sys.argv
    umask = os.umask(0o077)
    os.umask(umask)
    try:
        with restored_mlflow(), isolated_torch():
            yield
    finally:
        sys.argv = arguments
        os.umask(umask)


@contextmanager
def isolated_torch() -> Iterator[None]:
    """Compute with torch's defaults whatever the caller has set, and restore what was set.

    These are the kind of numbers and the device of new tensors, how float32 products are
    rounded, whether gradients are kept, the number of threads, and the states of random
    generators.
    """
    threads, generator, dtype = (
        torch.get_num_threads(),
        random.getstate(),
        torch.get_default_dtype(),
    )
    # A GPU that has not been used has no state, and asking for it takes memory of it.
    cuda: Any = torch.cuda
    gpus = range(cuda.device_count()) if cuda.is_initialized() else ()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(gpus))
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        # The context of a device takes time at each operation.
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        with _exact_products(), _restored_determinism():
            try:
                yield
            finally:
                torch.set_default_dtype(dtype)
                torch.set_num_threads(threads)
                random.setstate(generator)


@contextmanager
def _restored_determinism() -> Iterator[None]:
    """Restore whether operations on GPUs must be deterministic, which a run on one requires."""

    def read_state() -> tuple[bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

    before = read_state()
    try:
        yield
    finally:
        if read_state() != before:  # because the setter imports torch's compiler
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def _exact_products() -> Iterator[None]:
    """Compute float32 products in float32, as long as a run does not choose TF32.

    Torch has an older setting too, which cannot be read while the newer ones contradict it.
    """
    before = [product.fp32_precision for product in _FLOAT32_PRODUCTS]
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:
        older = None
    try:
        torch.set_float32_matmul_precision("highest")
        _set_precisions(["none"] * len(before))  # which inherits torch's default
        yield
    finally:
        if older is not None:
            torch.set_float32_matmul_precision(older)
        _set_precisions(before)


def _set_precisions(values: Iterable[str]) -> None:
    for product, value in zip(_FLOAT32_PRODUCTS, values, strict=True):
        if product.fp32_precision != value:
            product.fp32_precision = value
