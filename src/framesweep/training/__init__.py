"""The training loop and its components: optimizers, schedules, samplers, checkpoints."""
