"""Composes configs, as the command line does."""

from collections.abc import Sequence

from framesweep.api.overrides import read_overrides
from framesweep.api.session import session
from framesweep.config import RunConfig
from framesweep.config.composition import compose as compose_config


def compose(overrides: Sequence[str] = ()) -> RunConfig:
    """Return the config that `train` would use with these overrides.

    Args:
        overrides: Options and keys, as on the command line: `["model=wide", "train.epochs=3"]`.

    Raises:
        FramesweepError: if an override is not valid.
    """
    texts = read_overrides(overrides)
    with session("framesweep train", texts):
        return compose_config(texts)
