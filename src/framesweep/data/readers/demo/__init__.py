"""The demo corpus: sentences spoken by a speech synthesizer, with noise added."""
