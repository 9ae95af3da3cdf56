"""Searches that are replayed on a table of recorded trainings, in virtual time."""
