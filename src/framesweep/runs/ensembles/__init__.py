"""Trained runs: their predictions, and how an ensemble of them is chosen."""
