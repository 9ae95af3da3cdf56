"""Runs on other data are refused with what differs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from configs import compose
from framesweep.errors import DataError
from framesweep.runs.ensembles.same_data import require_same_corpus


def make_run(*overrides, digest="d", name="demo"):
    store = SimpleNamespace(name=name, digest=digest)
    return SimpleNamespace(directory=Path("a"), store=store, config=compose(list(overrides)))


def test_runs_that_normalize_the_same_corpus_otherwise_may_be_averaged():
    require_same_corpus(make_run("data.normalize=global", "data.context=3"), make_run())


@pytest.mark.parametrize(
    ("overrides", "name", "found"),
    [
        (["data.num_mel_bins=80"], "demo", "data.num_mel_bins=80 instead of 40"),
        (["data.max_utterances=5"], "demo", "data.max_utterances=5 instead of None"),
        (["data.context=3"], "timit_11", "timit_11 instead of demo"),
        (["data.context=3", "data.verify=true"], "demo", "other files"),
        (["data.root=/x"], "demo", "other files in /x"),
    ],
)
def test_what_differs_is_named(overrides, name, found):
    message = rf"^a: must be trained on the same data as a; found {found}\. Combine only"
    with pytest.raises(DataError, match=message):
        require_same_corpus(make_run(*overrides, digest="other", name=name), make_run())
