"""The threads that a process computes with."""

import pytest

from framesweep.system import cores


def test_omp_num_threads_takes_precedence_over_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "count_cores", lambda: 3)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cores.count_physical_cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    assert cores.count_physical_cores() == 17
