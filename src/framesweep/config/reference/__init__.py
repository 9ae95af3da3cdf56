"""The description of every config key, for people and for editors."""
