"""File formats. Each module reads one format and knows nothing about any particular corpus."""
