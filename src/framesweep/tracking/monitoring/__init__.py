"""Measures the machine while it trains."""
