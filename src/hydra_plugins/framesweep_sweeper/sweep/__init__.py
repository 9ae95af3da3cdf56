"""One call of the sweeper, from its settings to the results of the study."""
