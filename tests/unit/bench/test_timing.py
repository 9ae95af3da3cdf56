"""Speeds and their ratios, measured with a clock that the tests move."""

import pytest

from framesweep.bench.timing import Speeds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: list[float], num_frames: int):
        """Return a contender whose runs take these seconds, one after the other."""
        left = iter(seconds)

        def run() -> int:
            self.now += next(left)
            return num_frames

        return run


def test_the_speed_is_that_of_the_median_round() -> None:
    clock = Clock()
    speeds = Speeds(clock)
    contender = clock.takes([1.0, 2.0, 10.0], 100)
    for _ in range(3):
        speeds.run_round({"a": contender})
    assert speeds.median("a") == 50.0
    assert speeds.to_dict() == {"a": 50.0}


def test_ratios_are_computed_within_a_round() -> None:
    clock = Clock()
    speeds = Speeds(clock)
    # Load on the machine slows down both contenders in the second round.
    contenders = {
        "fast": clock.takes([1.0, 10.0, 1.0], 100),
        "slow": clock.takes([2.0, 20.0, 4.0], 100),
    }
    for _ in range(3):
        speeds.run_round(contenders)
    assert speeds.ratio("fast", "slow") == pytest.approx(2.0)
    assert speeds.ratio("slow", "fast") == pytest.approx(0.5)
