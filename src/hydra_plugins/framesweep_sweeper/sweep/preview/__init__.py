"""What a sweep would run, described without running it."""
