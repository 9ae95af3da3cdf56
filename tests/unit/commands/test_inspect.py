"""framesweep inspect."""

import json
import re

import numpy as np
import pytest
import soundfile
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


def make_recordings(root):
    for name in "abcdefgh":
        soundfile.write(root / f"{name}.wav", np.zeros(16_000), 16_000)
        (root / f"{name}.lab").write_text("0.0 0.3 aa\n0.3 0.7 t\n")
    return [
        "data=segments",
        f"data.root={root}",
        "data.split=utterances",
        f"outputs={root}",
        "data.dev_share=0.25",
        "data.test_share=0",
    ]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_all_bad_files_are_listed_before_the_error_of_the_first(tmp_path, options):
    arguments = [*make_recordings(tmp_path), *options]
    for name in "ace":
        (tmp_path / f"{name}.lab").write_text("0.0 2.0 aa\n")
    (tmp_path / "b.wav").write_text("not audio")
    result = CliRunner().invoke(command, arguments)
    assert str(result.exception).startswith(f"{tmp_path / 'a.lab'}: must end with its audio")
    assert result.stdout == ""
    found = re.findall(
        r"^(?:train|dev) (\w): (?:segments end|.*must be an audio file)", result.stderr, re.M
    )
    # The others end early. Train comes first, and five are listed without --json.
    assert "".join(found) == ("abcefgdh" if options else "abcef")
    assert ("and 3 more, which --json lists" in result.stderr) == (not options)


def test_few_of_many_problems_in_files_are_listed_and_all_as_json(tmp_path):
    arguments = make_recordings(tmp_path)
    text = CliRunner().invoke(command, arguments, catch_exceptions=False).stdout
    assert text.count("segments end at 0.70 s, the audio at 1.00 s") == 5
    assert "and 3 more, which --json lists" in text
    result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    problems = [
        line for line in json.loads(result.stdout)["problems"] if "segments end" in line
    ]
    assert len(problems) == 8
