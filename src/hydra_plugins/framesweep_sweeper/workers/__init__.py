"""Where jobs run: local worker processes or any Hydra launcher."""
