"""What makes two runs the same run: whether a checkpoint of one continues the other."""

import hashlib
import json
from collections.abc import Collection

from framesweep.config import RunConfig
from framesweep.config.data import StoredFeaturesConfig
from framesweep.config.effects import added_defaults, effect_of
from framesweep.config.network import FITTED_SCHEDULES
from framesweep.config.plain import flatten
from framesweep.config.setting import Effect

COUNTED_IN_0_1 = ("data.max_missing", "data.workers", "train.smooth")
"""Keys that version 0.1 counted as part of the identity although they affect no weight."""

IN_DIGEST = ("data.phone_order",)
"""Keys that earlier versions did not have, and whose effect is in the digest of the corpus: how
its labels are numbered."""

COUNTED_BEFORE = ("train.epochs",)
"""Key that was once counted wherever data.share_growth was set, even if it had no effect."""


def effect_in(config: RunConfig, key: str) -> Effect:
    """Return what a change of `key` affects in this config.

    It differs from `effect_of(key)` for the number of epochs: if, for example, the learning
    rate falls until the last epoch, the number of epochs affects every step before it.
    """
    if key == "train.epochs" and depends_on_length(config):
        return "result"
    if key == "data.shift_ms" and isinstance(config.data, StoredFeaturesConfig):
        return "end"  # it turns frames into times, and no feature is computed from it
    return effect_of(key)


def depends_on_length(config: RunConfig) -> bool:
    """Return whether the number of epochs affects every step, and not only the last one."""
    return (
        config.optim.schedule in FITTED_SCHEDULES
        or config.train.final_batch_size is not None
        or config.train.average == "swa"
        or config.data.share_grows
    )


def identities(config: RunConfig, data_digest: str) -> tuple[str, ...]:
    """Return the run's identity, and those that earlier versions may have given to the run.

    A checkpoint that holds one of them can be continued by this config.

    Args:
        data_digest: digest of the prepared corpus; its folder and files may have moved.
    """
    counted = ((), COUNTED_IN_0_1, COUNTED_BEFORE)
    return tuple(_hash(config, data_digest, also) for also in counted)


def _hash(config: RunConfig, data_digest: str, also: Collection[str] = ()) -> str:
    """Return 16 hex digits over everything that the weights depend on, except the hardware."""
    chosen = {
        key: value
        for key, value in flatten(config).items()
        if (key in also or effect_in(config, key) == "result")
        and key not in IN_DIGEST
        and added_defaults().get(key, ...) != value
    }
    text = json.dumps([chosen, data_digest], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
