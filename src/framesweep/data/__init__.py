"""Corpora, read once into frame stores and served as context windows."""
