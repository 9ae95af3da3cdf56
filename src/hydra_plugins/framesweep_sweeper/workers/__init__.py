"""Where jobs run: in local worker processes, or wherever another Hydra launcher puts them."""
