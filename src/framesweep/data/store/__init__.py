"""Frame stores: corpora prepared on disk, normalized and padded, and memory-mapped."""
