"""Measurements of speed: training and evaluation against what the machine could do."""
