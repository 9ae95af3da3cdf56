"""docs/python.md and docs/quickstart.ipynb, run as they are written."""

import re
import shutil
from typing import Any

import pytest

import framesweep
from documents import REPOSITORY
from tones import write_tones

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOTEBOOK = REPOSITORY / "docs" / "quickstart.ipynb"
MAX_BYTES = 100_000
MAX_LINES = 20
"""Lines of text that a cell may print."""


@pytest.mark.heavy
def test_every_call_in_the_documentation_works(tmp_path, monkeypatch, capsys):
    """The calls are those of the page, but with a small corpus and a small network."""
    (tmp_path / "corpus").mkdir()
    corpus = write_tones(tmp_path / "corpus")
    shutil.copy(corpus / "wav" / "u00.flac", tmp_path / "mine.wav")
    small = [
        *("data=segments", f"data.root={corpus}", "data.audio=wav", "data.segments=lab"),
        *("data.split=utterances", "model.widths=null", "model.width=8"),
        "model.depth=1",
        *("train.epochs=1", "train.batch_size=256", "hardware.threads=1"),
    ]
    train, sweep = framesweep.train, framesweep.sweep

    def train_small(overrides):
        is_resumed = any(text.startswith("resume=") for text in overrides)
        return train(overrides if is_resumed else [*overrides, *small])

    monkeypatch.setattr(framesweep, "train", train_small)
    monkeypatch.setattr(framesweep, "sweep", lambda overrides: sweep([*overrides, *small]))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCK.findall((REPOSITORY / "docs" / "python.md").read_text()):
        exec(block, names)
    printed = capsys.readouterr().out
    assert "data.contxt: no such key. Did you mean data.context?" in printed
    assert re.search(r"^0\.0 0\.\d+ \w+ [01]\.\d+$", printed, re.MULTILINE)  # a segment
    assert names["grid"].table["data.context"].tolist() == [5, 15]
    assert len(names["search"].table) == 2
    assert len(names["runs"]) >= 1
    assert len(framesweep.load("last").history) == 1


@pytest.fixture(scope="module")
def kept():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.heavy
def test_the_notebook_has_been_executed_from_top_to_bottom(kept):
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    check_outputs(kept)


@pytest.mark.parametrize("word", ["/tmp", "/home", "/root", "/work"])
def test_the_notebook_names_no_folder_of_a_machine(word):
    text = re.sub(r'"image/png": "[^"]+"', "", NOTEBOOK.read_text())
    assert not re.search(rf"{word}\b", text)


@pytest.mark.heavy
def test_the_notebook_runs(tmp_path, kept):
    from notebook import execute

    executed = execute(NOTEBOOK, tmp_path)
    check_outputs(executed)
    assert [cell.source for cell in executed.cells] == [cell.source for cell in kept.cells]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def check_outputs(notebook) -> None:
    """Check that outputs are plain and short, and that no cell fails but the one that shall."""
    pictures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        fails = "raises-exception" in cell.metadata.get("tags", [])
        text = ""
        for output in cell.outputs:
            assert (output.output_type == "error") == fails
            assert output.get("name") != "stderr", output
            text += output.get("text", "") or output.get("data", {}).get("text/plain", "")
            pictures += "image/png" in output.get("data", {})
            if fails:
                (line,) = output.traceback
                assert line.endswith("data.contxt: no such key. Did you mean data.context?")
        assert text.count("\n") <= MAX_LINES
        assert "\r" not in text
        assert "\x1b" not in text
    assert pictures == 1
