"""A corpus that would run code is refused in one line with exit code 2; nothing is written."""

import os
import shutil

import numpy as np

SECRET = "made by the pickle"


class Evil:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_hostile_corpus_is_refused_in_one_line(shell, corpus, tmp_path):
    root = shutil.copytree(corpus, tmp_path / "corpus")
    items = np.load(root / "dev.npy", allow_pickle=True)
    items[1] = Evil(root / SECRET)
    np.save(root / "dev.npy", items)
    result = shell.train(*shell.small, f"data.root={root}", "tracking=none", code=2)
    (line,) = [text for text in result.stderr.splitlines() if "error" in text]
    assert "dev.npy: must contain numpy arrays only" in line
    assert "Traceback" not in result.stdout + result.stderr
    assert not (root / SECRET).exists()
    assert list((tmp_path / "outputs" / "cache").iterdir()) == []
