"""Says in one line what is wrong with a config, and what to do."""
