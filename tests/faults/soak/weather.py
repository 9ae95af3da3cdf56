"""The order of the faults of a soak test, which depends only on its seed."""

import contextlib
import random
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from faults.soak.storm import NotPossible, Storm


@dataclass
class Gust:
    """Faults that begin together: after how many seconds, which, and for how long."""

    pause: float
    names: list[str]
    seconds: float


def forecast(
    names: Iterable[str], seed: int, longest: float, longest_pause: float
) -> Iterator[Gust]:
    """Yield, without end, one or two faults at a time; equal seeds yield the same.

    Args:
        names: the faults.
        longest: seconds that a fault lasts at most.
        longest_pause: seconds without a fault at most.
    """
    rng, known = random.Random(seed), sorted(names)
    while True:
        yield Gust(
            rng.uniform(0, longest_pause),
            rng.sample(known, rng.choice([1, 1, 2])),
            rng.uniform(0, longest),
        )


def strike(storm: Storm, gust: Gust) -> list[str]:
    """Let faults happen and end, start again what they ended, and return which happened."""
    time.sleep(gust.pause)
    happened = []
    with contextlib.ExitStack() as healing:
        for name in sorted(gust.names, key=_healing_rank):
            with contextlib.suppress(NotPossible):
                healing.callback(storm.faults[name]())
                happened.append(name)
        if happened:
            time.sleep(gust.seconds)
    storm.scene.tend()
    return happened


def _healing_rank(name: str) -> int:
    """Return a number by which faults begin; they end in the opposite order.

    A server becomes ready only when packets arrive again and what it depends on is running.
    """
    return 2 if name == "network partition" else int("PostgreSQL" in name)


def isolate(arguments: list[str], environment: dict[str, str]) -> int:
    """Run a command with a network and mounts of its own, and return its exit code."""
    return subprocess.call(["unshare", "-n", "-m", *arguments], env=environment)
