"""What to try next where a network fitted its training data more and more, and dev less."""

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig

from framesweep.config import AdamConfig, RunConfig
from framesweep.config.command_line import train_command
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
    config: RunConfig, history: Sequence[dict[str, float]], best_epoch: int
) -> str | None:
    """Return what happened and the command of a run that may be better, or None."""
    suggested = suggest_overrides(config, history, best_epoch)
    if not suggested:
        return None
    fall = f"dev accuracy fell after epoch {best_epoch} of {len(history)}."
    if not HydraConfig.initialized():  # a run that was resumed, or called from Python
        return f"{fall} Try {' '.join(suggested)}"
    keys = {override.partition("=")[0] for override in suggested}
    typed = [
        override
        for override in HydraConfig.get().overrides.task
        if override.lstrip("+").partition("=")[0] not in keys
    ]
    return f"{fall} Try: {train_command([*typed, *suggested])}"
