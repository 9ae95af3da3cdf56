"""Compiled functions run on torch's threads, and on all of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from framesweep.kernels import openmp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs GNU OpenMP")


def test_the_library_is_the_one_that_torch_has_loaded():
    library = openmp.find_library()
    assert library is not None
    assert library.is_file()
    own = sorted(Path(torch.__file__).parent.rglob("libgomp*"))
    assert not own or library in own


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_function_is_called_once_on_each_thread(threads):
    from numba import carray, cfunc

    from framesweep.kernels.loops.regions import SIGNATURE, num_threads, thread_number

    @cfunc(SIGNATURE)
    def count(job):
        calls = carray(job[0], (8, 16), np.int64)
        calls[thread_number(), 0] += 1  # type: ignore[index]  # numba gives the type
        calls[thread_number(), 1] = num_threads()  # type: ignore[call-overload]

    calls = np.zeros((8, 16), dtype=np.int64)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        openmp.run_on_threads(count.address, (calls.ctypes.data,))
    finally:
        torch.set_num_threads(before)
    assert calls[:, 0].tolist() == [1] * threads + [0] * (8 - threads)
    assert calls[:threads, 1].tolist() == [threads] * threads
