"""What runs share is prepared before the first of them, and nothing else is."""

import pytest

from framesweep.config import RunConfig
from framesweep.config.composition import compose, register
from framesweep.data.store import run_store
from framesweep.errors import DataError
from framesweep.sweeps.corpus import prepare_shared_corpus

register()


@pytest.fixture
def opened(monkeypatch):
    found: list[RunConfig] = []
    monkeypatch.setattr(run_store, "open_frame_store", found.append)
    return found


@pytest.mark.parametrize(
    "swept",
    [[], ["data.context", "model.dropout"], ["+data.share", "optim@optim"], ["model", "seed"]],
)
def test_a_corpus_that_the_runs_share_is_prepared(opened, swept):
    config = compose(["data.context=3"])
    prepare_shared_corpus(config, swept)
    assert opened == [config]


@pytest.mark.parametrize("key", ["data", "data.root", "++data.normalize", "recipe", "+mine"])
def test_a_corpus_that_the_sweep_varies_is_left_to_its_runs(opened, key):
    prepare_shared_corpus(compose([]), ["seed", key])
    assert opened == []


def test_a_missing_corpus_is_an_error():
    with pytest.raises(DataError, match=r"data\.root: must be an existing folder"):
        prepare_shared_corpus(compose(["data=hw1p2", "data.root=/nowhere"]), ["seed"])
