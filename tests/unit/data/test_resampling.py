import subprocess
import sys

import numpy as np
import pytest

from framesweep.data.resampling import resampled


@pytest.mark.parametrize(("own_rate", "rate"), [(8000, 16_000), (22_050, 16_000)])
def test_a_tone_stays_the_tone_it_was(own_rate, rate):
    def tone(sample_rate):
        return np.sin(2 * np.pi * 440 * np.arange(sample_rate) / sample_rate)

    found = resampled(tone(own_rate), own_rate, rate)
    assert found.shape == (rate,)
    middle = slice(rate // 4, 3 * rate // 4)
    np.testing.assert_allclose(found[middle], tone(rate)[middle], atol=2e-3)


def test_float32_stays_float32():
    assert resampled(np.zeros(80, np.float32), 8000, 16_000).dtype == np.float32


def test_a_prepared_corpus_is_opened_without_scipy():
    code = "import sys, framesweep.data.demo, framesweep.data.segments; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "framesweep.data.segments" in done.stdout.split()
    assert "scipy" not in done.stdout.split()
