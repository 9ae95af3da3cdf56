"""Inspects prepared corpora: statistics, likely problems, and a report for people."""
