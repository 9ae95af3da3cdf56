"""framesweep prepare."""

import re

from click.testing import CliRunner

from framesweep.commands.prepare import command
from framesweep.config.composition import register
from toy import ToyCorpus, write_hw1p2

register()


def test_a_corpus_is_prepared_and_its_splits_are_counted(tmp_path):
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())
    overrides = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}"]
    output = CliRunner().invoke(command, overrides, catch_exceptions=False).output
    assert [line.split() for line in output.splitlines()[-5:-2]] == [
        ["train", "4", "utterances", "158", "frames"],
        ["dev", "2", "utterances", "50", "frames"],
        ["test", "2", "utterances", "20", "frames"],
    ]
    assert re.search(r"^hw1p2: 6 features per frame, \d+ phones; prepared in ", output, re.M)
    assert output.splitlines()[-1].startswith("labels: ")
    assert list((tmp_path / "cache").iterdir())
