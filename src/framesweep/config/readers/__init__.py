"""One schema per corpus format, for the config group `data`."""
