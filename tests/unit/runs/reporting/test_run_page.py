"""The page about a run."""

import shlex

import pytest
import torch

from configs import compose
from framesweep.config.composition import dump, register
from framesweep.data.phones import PhoneSet
from framesweep.errors import CheckpointError
from framesweep.evaluation.report import COUNTS, write_report
from framesweep.runs.reporting.history import History, write_history
from framesweep.runs.reporting.run_page import build_run_page
from framesweep.system.drawing import html_page

register()

HISTORY = [
    {"dev/accuracy": 0.5, "dev/loss": 2.0},
    {"dev/accuracy": 0.75, "dev/loss": 1.0},
]
CONFUSION = torch.tensor([[5, 1, 0], [4, 2, 0], [0, 0, 0]])


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch):
    monkeypatch.setattr(html_page, "read_plotly", lambda: "var Plotly = {};")


@pytest.fixture
def directory(tmp_path):
    """The directory of a run that has not ended."""
    (tmp_path / "config.yaml").write_text(dump(compose(["optim.beta1=0.5"])))
    return tmp_path


@pytest.fixture
def finished(directory):
    phones = PhoneSet(("sil", "<b>क</b>", "unseen"))
    write_report(directory / "report", HISTORY, CONFUSION, phones, best_epoch=2)
    write_history(directory, History(HISTORY, 2))
    return directory


def test_a_page_has_results_settings_errors_and_how_to_repeat_it(finished):
    page = build_run_page(finished, "model=wide", "abc").render()
    assert "<h1>Run model=wide</h1>" in page
    assert "Best dev/accuracy 0.7500 in epoch 2 of 2." in page
    assert "<th>optim.beta1</th><td>0.5</td>" in page
    assert "framesweep reproduce abc" in page
    assert page.count("Plotly.newPlot") == 3
    assert "<pre># checksum:" in page


def test_settings_are_written_as_in_yaml(directory):
    overrides = ["model=lstm", "model.width=null", "model.max_params=1e5", "train.smooth=false"]
    text = dump(compose([*overrides, "model.conv_channels=[8]"]))
    (directory / "config.yaml").write_text(text)
    page = build_run_page(directory, "", None).render()
    assert "<th>train.smooth</th><td>false</td>" in page
    assert "<th>model.width</th><td>null</td>" in page
    assert "<th>model.conv_channels</th><td>[8]</td>" in page


def test_a_group_has_the_option_that_was_chosen_or_else_one_with_its_values(directory):
    assert "<th>model</th><td>conv_small</td>" in build_run_page(directory, "", None).render()
    choices = {"model": "small", "optim.lr": "0.1"}
    page = build_run_page(directory, "", None, choices=choices).render()
    assert "<th>model</th><td>small</td>" in page
    assert "<td>conv_small</td>" not in page
    assert "<th>optim</th><td>adamw</td>" in page


def test_phones_are_ranked_by_their_errors_and_are_texts(finished):
    page = build_run_page(finished, "run", "abc").render()
    table = page.partition("Errors by phone")[2]
    assert table.index("&lt;b&gt;क&lt;/b&gt;") < table.index(">sil<")
    assert "unseen" not in table.partition("Confusions")[0]
    assert "<b>" not in page


def test_the_picture_of_an_earlier_run_stands_for_its_counts(finished):
    (finished / "report" / COUNTS).unlink()
    page = build_run_page(finished, "run", "abc").render()
    assert page.count("Plotly.newPlot") == 2
    assert 'src="data:image/png;base64,' in page


def test_a_run_that_is_not_tracked_is_repeated_by_its_directory(directory):
    page = build_run_page(directory, "", None).render()
    assert "No epoch has ended yet." in page
    assert shlex.join(["framesweep", "reproduce", str(directory)]) in page


def test_a_directory_without_a_config_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="must exist for the run to be reported on"):
        build_run_page(tmp_path, "run", "abc")
