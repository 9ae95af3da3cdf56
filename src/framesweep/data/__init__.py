"""Reads corpora once into frame stores, and serves them as batches of context windows."""
