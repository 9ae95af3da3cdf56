"""Metrics, predictions, Viterbi smoothing and reports of a trained network."""
