"""Trained networks as MLflow models: logged, described and registered."""
