"""The demo corpus: sentences spoken by eSpeak NG."""
