"""Optimizers: one module for each, and the function that builds the configured one."""
