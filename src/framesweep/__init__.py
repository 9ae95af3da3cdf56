"""Configured experiments and sweeps for frame-level classification of speech."""

__version__ = "0.1.0"
