"""File formats: each module reads one, without knowing of any corpus."""
