"""Composes configs, as the command line does."""

import json
from collections.abc import Sequence
from typing import NoReturn

from framesweep.api.overrides import read_overrides, require_single_values
from framesweep.api.session import session
from framesweep.config import RunConfig
from framesweep.config.composition import compose as compose_config
from framesweep.errors import ConfigError


def compose(overrides: Sequence[str] = ()) -> RunConfig:
    """Return the config that `train` would use with these overrides.

    Args:
        overrides: Options and keys, as on the command line: `["model=wide", "train.epochs=3"]`.

    Raises:
        FramesweepError: if an override is not valid.
    """
    texts = read_overrides(overrides)
    with session("framesweep train", texts):
        for text in texts:
            if text.startswith("resume="):
                _refuse_resume(text.removeprefix("resume="))
        require_single_values(texts)
        return compose_config(texts)


def _refuse_resume(run_id: str) -> NoReturn:
    rule = "must not be part of a config, because a run has one already"
    fix = f"Read fs.load({json.dumps(run_id)}).config."
    raise ConfigError("resume", rule, found=run_id, fix=fix)
