"""One schema per network, for the config group `model`."""
