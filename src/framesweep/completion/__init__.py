"""Answers the Tab key: what can follow on a command line of framesweep or of train.py.

A shell starts `python -m framesweep.completion` at each Tab, so that everything here must take
tenths of a second: neither torch nor MLflow, Hydra or Optuna may be imported.
"""
