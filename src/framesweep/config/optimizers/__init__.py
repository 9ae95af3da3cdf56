"""One schema per optimizer, for the config group `optim`."""
