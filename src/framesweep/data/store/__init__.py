"""Frame stores: prepared corpora on disk and the rows that training reads."""
