"""Sweeps: the MLflow parent that their runs are nested under, and their tables and plots."""
