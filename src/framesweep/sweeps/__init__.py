"""Sweeps as framesweep sees them: runs nested under one parent, tables, plots, leaders."""
