"""Corpus readers: one module per corpus format, and what they share."""
