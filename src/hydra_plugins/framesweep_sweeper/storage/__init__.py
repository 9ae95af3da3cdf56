"""Access to a study's storage from many processes: connections, retries, locks, heartbeats."""
