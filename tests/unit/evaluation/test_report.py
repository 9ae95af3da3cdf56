"""Reports: what is drawn and written, read back."""

import csv
from pathlib import Path

import pytest
import torch
from matplotlib import image
from matplotlib.figure import Figure

from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.evaluation.report import (
    _draw_curves,
    write_counts,
    write_curves,
    write_matrix,
    write_report,
)

HISTORY = [
    {"train/loss": 2.0, "dev/loss": 2.1, "train/accuracy": 0.4, "dev/accuracy": 0.38},
    {"train/loss": 1.5, "dev/loss": 1.9, "train/accuracy": 0.5, "dev/accuracy": 0.45},
]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def phones() -> PhoneSet:
    return PhoneSet(("SIL", "AA", "B"))


@pytest.fixture
def confusion() -> torch.Tensor:
    return torch.tensor([[8, 2, 0], [1, 5, 4], [0, 0, 0]])


def test_report_files(tmp_path, confusion, phones):
    files = write_report(tmp_path / "report", HISTORY, confusion, phones, best_epoch=2)
    assert {file.name for file in files} == {
        "learning_curves.png",
        "confusion_matrix.png",
        "per_phone.csv",
        "top_confusions.csv",
        "confusion_matrix.csv",
    }
    assert sorted(files) == sorted((tmp_path / "report").iterdir())


def test_without_a_history_there_are_no_curves(tmp_path, confusion, phones):
    files = write_report(tmp_path / "report", [], confusion, phones)
    assert sorted(files) == sorted((tmp_path / "report").iterdir())
    assert "learning_curves.png" not in {file.name for file in files}


def test_curves_are_labelled_by_their_last_number():
    axes = Figure().subplots()
    history = [{"dev/accuracy": 0.1}, {"dev/accuracy": 0.4, "dev/smoothed_accuracy": 0.5}]
    _draw_curves(axes, [*history, {"dev/accuracy": 0.3}], "accuracy", "")
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["dev/accuracy 0.3000", "dev/smoothed_accuracy 0.5000"]


def test_per_phone_csv(tmp_path, confusion, phones):
    write_report(tmp_path, HISTORY, confusion, phones)
    rows = _rows(tmp_path / "per_phone.csv")
    assert [row["phone"] for row in rows] == ["SIL", "AA", "B"]
    assert [row["frames"] for row in rows] == ["10", "10", "0"]
    assert float(rows[0]["precision"]) == pytest.approx(8 / 9, abs=1e-6)
    assert float(rows[1]["recall"]) == pytest.approx(0.5)
    assert float(rows[1]["f1"]) == pytest.approx(2 * 5 / (10 + 7), abs=1e-6)
    assert rows[2]["f1"] == "0.000000"


def test_top_confusions_csv(tmp_path, confusion, phones):
    write_report(tmp_path, HISTORY, confusion, phones)
    assert _rows(tmp_path / "top_confusions.csv")[0] == {
        "true": "AA",
        "predicted": "B",
        "frames": "4",
        "share": "0.400000",
    }


def test_matrix_shows_rows_as_shares(tmp_path):
    """A perfect matrix is dark on the diagonal and white elsewhere."""
    counts = torch.diag(torch.arange(1, 72))
    write_matrix(tmp_path / "matrix.png", counts, ARPABET_71)
    pixels = image.imread(tmp_path / "matrix.png")[..., :3]
    dark = (pixels[..., 2] > 0.3) & (pixels[..., 0] < 0.1)
    assert dark.any(axis=1).mean() > 0.7
    assert 1 / 71 / 2 < dark.mean() < 2 / 71


@pytest.mark.parametrize("num_phones", [2, 40, 346])
def test_matrix_of_any_size_stays_of_readable_size(tmp_path, num_phones):
    write_matrix(
        tmp_path / "matrix.png",
        torch.ones(num_phones, num_phones, dtype=torch.int64),
        PhoneSet.numbered(num_phones),
    )
    height, width, _ = image.imread(tmp_path / "matrix.png").shape
    assert 400 < height < 2000
    assert 400 < width < 2000
    assert height >= 3 * num_phones


def test_curves_of_one_epoch_and_of_missing_values(tmp_path):
    write_curves(tmp_path / "one.png", HISTORY[:1], best_epoch=1)
    write_curves(tmp_path / "gap.png", [*HISTORY, {"dev/loss": float("nan")}], None)
    assert image.imread(tmp_path / "one.png").std() > 0
    assert image.imread(tmp_path / "gap.png").std() > 0


def test_counts_of_the_confusion_matrix(tmp_path):
    write_counts(tmp_path / "counts.csv", torch.tensor([[5, 1], [0, 2]]), PhoneSet(("a", "b")))
    assert (tmp_path / "counts.csv").read_text() == "true \\ predicted,a,b\na,5,1\nb,0,2\n"
