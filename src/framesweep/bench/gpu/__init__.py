"""Checks and measures framesweep on one GPU, without Hydra, MLflow and Optuna: `make gpu`."""
