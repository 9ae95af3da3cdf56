"""What several commands share: their options and their output."""
