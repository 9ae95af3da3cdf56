"""The subcommands of framesweep, one module each."""

COMMANDS = {
    "train": "Train a network, or sweep with -m, as train.py does.",
    "ui": "Compare runs in the MLflow UI.",
    "runs": "List the runs in the outputs folder.",
    "keys": "Explain config keys: type, unit, default and meaning.",
    "predict": "Write the predictions of a run or an ensemble as CSV.",
    "label": "Write the phones of audio files, with times, as label files.",
    "submit": "Write predictions and what graders ask for as a zip file.",
    "evaluate": "Evaluate a run or an ensemble on a labelled split.",
    "export": "Write the network of a run as ONNX or TorchScript.",
    "prepare": "Prepare the frame store of a corpus before training.",
    "inspect": "Summarize a corpus and report problems in it.",
    "best": "Print the best trials of a search and how to train them again.",
    "report": "Write a page of HTML about a search, a grid or a run.",
    "compare": "Print the params in which runs differ, and their metrics.",
    "reproduce": "Train a run again and check that its result is reproducible.",
    "sync": "Send logs that could not reach the tracking server.",
    "db": "Upgrade MLflow's database to the installed MLflow.",
    "completion": "Print the script by which the Tab key completes commands.",
    "bench": "Compare the speed with what this machine can do.",
}
"""The commands and their one-line descriptions, in the order of `framesweep --help`."""
