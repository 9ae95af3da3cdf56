"""Loading the candidates for an ensemble, and choosing among them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from framesweep.catalog.directories import TRAINED_MODEL
from framesweep.data.phones import PhoneSet
from framesweep.errors import CheckpointError, DataError
from framesweep.runs.ensembles import library
from framesweep.runs.ensembles.library import select_runs
from framesweep.runs.ensembles.selection import Step

LABELS = (0, 0, 1, 1)

RIGHT = {
    "strong": [0.6, 0.6, 0.6, 0.4],
    "copy": [0.6, 0.6, 0.6, 0.4],
    "other": [0.45, 0.45, 0.45, 0.9],
}
"""The probability that each run gives to the right phone of each frame."""


@pytest.fixture
def loaded(monkeypatch):
    """The overrides with which each run was loaded, by its name."""
    found = {}

    def load(directory, overrides):
        found[directory.name] = overrides
        right = torch.tensor(RIGHT[directory.name])
        is_second = torch.tensor(LABELS) == 1
        first = torch.where(is_second, 1 - right, right)
        split = SimpleNamespace(labels=np.array(LABELS), lengths=np.array([2, 2]), num_frames=4)
        phones = PhoneSet(("SIL", "AA") if directory.name != "alien" else ("AA", "SIL"))
        store = SimpleNamespace(phones=phones, splits={"dev": split}, digest="d")
        return SimpleNamespace(
            directory=directory,
            store=store,
            model=nn.ParameterList([torch.zeros(len(directory.name))]),
            require_split=store.splits.__getitem__,
            compute_posteriors=lambda split: torch.stack((first, 1 - first), dim=1),
        )

    monkeypatch.setattr(library, "load_trained_run", load)
    return found


def choose(folder, *names, max_params=None, overrides=(), report=lambda line: None):
    paths = [folder / name for name in names]
    for path in paths:
        path.mkdir(exist_ok=True)
        if path.name != "unfinished":
            (path / TRAINED_MODEL).parent.mkdir(exist_ok=True)
            (path / TRAINED_MODEL).touch()
    return select_runs(paths, overrides, max_params, folder, report)


def test_members_add_up_to_the_ensemble(loaded, tmp_path):
    lines: list[str] = []
    selection = choose(
        tmp_path, "copy", "other", "strong", overrides=["data.root=/x"], report=lines.append
    )
    assert [member.directory.name for member in selection.members] == ["copy", "other"]
    assert sum(member.gain for member in selection.members) == selection.accuracy == 1.0
    assert [member.accuracy for member in selection.members] == [0.75, 0.25]
    assert selection.best_alone == 0.75
    assert selection.num_params == len("copy") + len("other")
    assert selection.num_candidates == 3
    assert loaded == {key: ["data.root=/x"] for key in ("copy", "other", "strong")}
    assert [line.split(":")[0] for line in lines] == ["1/3", "2/3", "3/3"]


def test_an_unfinished_run_is_refused_before_anything_is_predicted(loaded, tmp_path):
    with pytest.raises(CheckpointError, match=r"unfinished: must contain model/model\.safe"):
        choose(tmp_path, "strong", "other", "unfinished")
    assert loaded == {}


def test_a_member_is_repeated_as_often_as_its_weight(loaded, tmp_path, monkeypatch):
    steps = [Step(0, 0.5), Step(1, 0.75), Step(0, 1.0)]
    monkeypatch.setattr(library, "select_ensemble", lambda *_: steps)
    selection = choose(tmp_path, "strong", "other")
    assert [(member.weight, member.gain) for member in selection.members] == [
        (2, 0.75),
        (1, 0.25),
    ]
    repeated = [member.directory.name for member in selection.repeat_members()]
    assert repeated == ["strong", "strong", "other"]


def test_nothing_remains_of_the_probabilities(loaded, tmp_path):
    choose(tmp_path, "strong", "other")
    assert not list(tmp_path.glob(".ensemble-*"))


def test_the_limit_of_parameters_is_that_of_the_sum(loaded, tmp_path):
    assert len(choose(tmp_path, "copy", "other", max_params=9).members) == 2
    assert len(choose(tmp_path, "copy", "other", max_params=8).members) == 1


def test_a_run_with_other_labels_is_refused(loaded, tmp_path, monkeypatch):
    monkeypatch.setitem(RIGHT, "alien", RIGHT["strong"])
    with pytest.raises(DataError, match=r"alien: must have the phones of .*strong"):
        choose(tmp_path, "strong", "alien")
    assert not list(tmp_path.glob(".ensemble-*"))
