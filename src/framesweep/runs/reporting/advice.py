"""What to try next where a network fitted its training data more and more, and dev less."""

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig

from framesweep.config import AdamConfig, AugmentConfig, RunConfig
from framesweep.config.command_line import train_hint
from framesweep.config.optimizers.adam import AdamWConfig

MIN_EPOCHS = 3
"""The shortest run from which anything can be concluded."""
EARLY = 0.6
"""The best epoch of a run came early if it is within this share of its epochs."""
MAX_DROPOUT = 0.5
"""The largest dropout probability that is suggested."""
WEIGHT_DECAY = 0.05
"""The suggested decoupled weight decay."""
PATIENCE = 2
"""The suggested number of epochs without improvement after which a run ends."""

LARGE_GAP = 0.15
"""Train accuracy is far above dev accuracy from here on."""
SMALL_RISE = 0.01
"""Dev accuracy has stagnated if it rose by less than this in the second half of the epochs."""
SPEECH_DROPOUT = 0.35
"""The dropout probability with which augment=speech was measured (docs/accuracy.md)."""
SPEECH_BINS = 8
"""Fewest mel bins for augment=speech, whose frequency masks are as wide."""


def suggest_augmentation(
    config: RunConfig, history: Sequence[dict[str, float]], feature_dim: int
) -> list[str]:
    """Return overrides for a network that learns its training windows by heart, or none.

    Its train accuracy is far above dev accuracy, which has stagnated. Nothing is suggested if
    the run used augmentation, or if shifted spectra mean nothing for its features.

    Args:
        config: The config of the run.
        history: The metrics of each epoch.
        feature_dim: Values per frame.
    """
    is_augmented = config.augment != AugmentConfig()
    if feature_dim < SPEECH_BINS or len(history) < MIN_EPOCHS or is_augmented:
        return []
    last, half = history[-1], history[len(history) // 2]
    gap = last["train/accuracy"] - last["dev/accuracy"]
    rise = last["dev/accuracy"] - half["dev/accuracy"]
    if gap < LARGE_GAP or rise >= SMALL_RISE:
        return []
    if config.data.context == 0 or config.data.has_stored_features:
        return []
    suggested = ["augment=speech"]
    dropout = config.model.dropout
    if not isinstance(dropout, list) and dropout < SPEECH_DROPOUT:
        suggested.append(f"model.dropout={SPEECH_DROPOUT}")
    return suggested


def suggest_overrides(
    config: RunConfig, history: Sequence[dict[str, float]], best_epoch: int
) -> list[str]:
    """Return overrides that may prevent overfitting; none if dev accuracy did not fall.

    Args:
        config: The config of the run.
        history: The metrics of each epoch.
        best_epoch: The best epoch, counted from 1.
    """
    accuracies = [metrics["dev/accuracy"] for metrics in history]
    fell = accuracies[-1] < accuracies[best_epoch - 1]
    if len(history) < MIN_EPOCHS or best_epoch > EARLY * len(history) or not fell:
        return []
    suggested = []
    if config.optim.schedule == "constant":
        suggested.append("optim.schedule=onecycle")
    dropout = config.model.dropout
    if not isinstance(dropout, list) and dropout < MAX_DROPOUT:
        suggested.append(f"model.dropout={min(MAX_DROPOUT, round(dropout + 0.1, 3)):g}")
    if type(config.optim) is AdamConfig:
        suggested.append("optim=adamw")
    elif isinstance(config.optim, AdamWConfig) and config.optim.weight_decay < WEIGHT_DECAY:
        suggested.append(f"optim.weight_decay={WEIGHT_DECAY}")
    if config.train.patience is None:
        suggested.append(f"train.patience={PATIENCE}")
    return suggested


def describe_next_run(
    config: RunConfig,
    history: Sequence[dict[str, float]],
    best_epoch: int,
    feature_dim: int = 0,
) -> str | None:
    """Return what happened and the command of a run that may be better, or None.

    Args:
        config, history, best_epoch: As in `suggest_overrides`.
        feature_dim: As in `suggest_augmentation`; 0 if it is not known.
    """
    suggested = suggest_overrides(config, history, best_epoch)
    if suggested:
        reason = f"dev accuracy fell after epoch {best_epoch} of {len(history)}."
    else:
        suggested = suggest_augmentation(config, history, feature_dim)
        if not suggested:
            return None
        train, dev = history[-1]["train/accuracy"], history[-1]["dev/accuracy"]
        reason = f"train accuracy {train:.2f} is far above dev accuracy {dev:.2f}."
    if not HydraConfig.initialized():  # a run that was resumed, or called from Python
        return f"{reason} Try {' '.join(suggested)}"
    keys = {override.partition("=")[0] for override in suggested}
    typed = [
        override
        for override in HydraConfig.get().overrides.task
        if override.lstrip("+").partition("=")[0] not in keys
    ]
    return f"{reason} Try: {train_hint([*typed, *suggested])}"
