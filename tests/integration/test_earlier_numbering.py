"""Runs that an earlier version trained keep their cache and the numbers of their phones."""

from pathlib import Path

import pytest

from configs import compose
from framesweep.config.composition import CONFIG_FILE, register
from framesweep.evaluation.predictor import Predictor
from framesweep.runs.ensembles.predictions import average_posteriors, load_trained_run
from framesweep.runs.reporting.run_log import MODEL_FOLDER
from framesweep.runs.run import resume, run
from integration.conftest import write_folders
from toy import ToyCorpus

register()
ALPHABETICAL = ("AA", "B", "CH", "D", "SIL")


def as_an_earlier_version_wrote_it(path: Path) -> None:
    """Remove the key that it did not know, and the checksum, from a config."""
    text = path.read_text().partition("\n")[2]
    assert "    phone_order: alphabetical\n" in text
    path.write_text(text.replace("    phone_order: alphabetical\n", ""))


@pytest.mark.heavy
def test_an_earlier_run_is_resumed_and_predicts_with_its_own_numbers(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "corpus", ToyCorpus())
    small = ["model.widths=[4]", "data.context=1", "hardware=cpu", "tracking=none"]
    schedule = ["optim.schedule=constant", "train.epochs=1", "train.smooth=false"]
    where = ["data=hw1p2_folders", f"data.root={root}", f"outputs={tmp_path / 'out'}"]
    overrides = [*where, *small, *schedule]
    directory = tmp_path / "out" / "runs" / "day" / "time"
    run(compose([*overrides, "data.phone_order=alphabetical"]), directory)
    for folder in (directory, directory / MODEL_FOLDER):
        as_an_earlier_version_wrote_it(folder / CONFIG_FILE)
    cached = set((tmp_path / "out" / "cache").iterdir())

    trained = load_trained_run(directory)
    assert trained.store.phones.names == ALPHABETICAL
    assert average_posteriors([trained], "test").shape[1] == len(ALPHABETICAL)
    resume(str(directory), ["train.epochs=2"], None, tmp_path / "out")
    assert Predictor.load(directory / MODEL_FOLDER).phones.names == ALPHABETICAL
    assert set((tmp_path / "out" / "cache").iterdir()) == cached, "it was not prepared again"

    run(compose(overrides), tmp_path / "out" / "runs" / "day" / "later")
    later = load_trained_run(tmp_path / "out" / "runs" / "day" / "later")
    assert later.store.phones.names[:3] == ("SIL", "AA", "AE")
    assert len(later.store.phones) == 40
    assert len(set((tmp_path / "out" / "cache").iterdir()) - cached) == 1
