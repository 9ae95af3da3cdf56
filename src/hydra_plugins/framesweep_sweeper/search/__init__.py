"""What a sweep searches: its space, its samplers and pruners, and the study it belongs to."""
