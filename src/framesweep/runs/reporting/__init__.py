"""What a run logs, and the pages and tables about runs."""
