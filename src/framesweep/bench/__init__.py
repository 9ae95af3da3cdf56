"""Measures how fast training and evaluation are, compared with what the machine can do."""
