"""framesweep inspect."""

import pytest
from click.testing import CliRunner

from framesweep.commands.inspect import command
from framesweep.config.composition import register
from toy import ToyCorpus, write_hw1p2

register()


@pytest.mark.parametrize("override", ["data.max_utterances=-5", "data.context=-1"])
def test_it_checks_what_train_checks(override):
    result = CliRunner().invoke(command, ["data=demo", override])
    assert str(result.exception).startswith(override.partition("=")[0])


def test_a_corpus_is_summarized_and_drawn(tmp_path):
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())
    corpus = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}"]
    figure = tmp_path / "figure.png"
    result = CliRunner().invoke(
        command, [*corpus, "--out", str(figure)], catch_exceptions=False
    )
    assert "train" in result.output
    assert result.output.endswith(f"figure: {figure}\n")
    assert figure.read_bytes().startswith(b"\x89PNG")
