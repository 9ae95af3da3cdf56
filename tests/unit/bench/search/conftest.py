"""A table of two dozen invented trainings, in which adam with little dropout is best."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framesweep.bench.search.table import RecordedTable, load_table

AXES: dict[str, list[Any]] = {
    "model.width": [64, 128],
    "model.dropout": [0.0, 0.2, 0.4],
    "optim.lr": [1e-3, 1e-2],
    "optim": ["adam", "sgd"],
}
EPOCHS = 3


@pytest.fixture
def table_file(tmp_path) -> Path:
    shape = [len(levels) for levels in AXES.values()]
    accuracy = np.zeros((*shape, EPOCHS), np.float32)
    seconds = np.zeros((*shape, EPOCHS), np.float32)
    for index in product(*map(range, shape)):
        width, dropout, lr, optimizer = index
        final = 0.6 + 0.05 * width - 0.04 * dropout - 0.03 * lr - 0.1 * optimizer
        accuracy[index] = [final - 0.2, final - 0.1, final]
        seconds[index] = 1.0 + width
    path = tmp_path / "table.npz"
    np.savez_compressed(path, axes=json.dumps(AXES), accuracy=accuracy, seconds=seconds)
    return path


@pytest.fixture
def table(table_file) -> RecordedTable:
    return load_table(table_file)
