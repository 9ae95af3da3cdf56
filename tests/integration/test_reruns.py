"""Finished runs used again: trained again, and measured where they lie."""

import pytest

from framesweep.commands.common.options import load_runs
from framesweep.config.composition import CONFIG_FILE, dump, load
from framesweep.runs.reruns import SeedRuns, run_again
from framesweep.runs.run import run
from framesweep.tracking import load_run
from integration.conftest import TINY

pytestmark = pytest.mark.usefixtures("empty_pictures")

UNTRACKED = "tracking=none"


def test_a_rerun_is_tracked_at_the_given_uri(compose, hw1p2_root, tmp_path):
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    tracked = [option for option in TINY if option != UNTRACKED]
    value = run(compose(*data, *tracked, "model.widths=[8]"), tmp_path / "run")
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    directory, again = run_again(tmp_path / "run", tmp_path / "elsewhere", uri)
    assert again == value
    found = load_run(str(directory), uri, tmp_path / "elsewhere")
    assert found.metrics["best/accuracy"] == value


def test_seed_runs_are_tracked_at_the_given_uri(compose, hw1p2_root, tmp_path):
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    run(compose(*data, *TINY, "model.widths=[8]"), tmp_path / "study" / "0")
    tracked = load((tmp_path / "study" / "0" / CONFIG_FILE).read_text(), [], "")
    tracked.tracking.backend = "mlflow"
    (tmp_path / "study" / "0" / CONFIG_FILE).write_text(dump(tracked))
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    (value,) = SeedRuns(tmp_path / "study", None, uri).measure(0, tmp_path / "study" / "0", [1])
    found = load_run(str(tmp_path / "study" / "seeds" / "0-1"), uri, tmp_path)
    assert found.metrics["best/accuracy"] == value
    assert SeedRuns(tmp_path / "study", None).measure(0, tmp_path / "study" / "0", [1]) == [
        value
    ]


def test_a_run_given_by_its_directory_needs_no_tracking(compose, hw1p2_root, tmp_path):
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    run(compose(*data, *TINY, "model.widths=[8]"), tmp_path / "run")
    (loaded,) = load_runs([str(tmp_path / "run")], None, tmp_path / "nothing", ["seed=3"])
    assert loaded.config.seed == 3
