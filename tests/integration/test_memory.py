"""What a run says where its rows are more than memory holds."""

import pytest

from framesweep.runs.reporting import run_log
from framesweep.runs.run import run
from integration.conftest import TINY

TDNN = ["model=tdnn", "data.context=3", "model.channels=8", "model.dilations=[1,2]"]


@pytest.fixture
def warnings(monkeypatch, caplog, compose, hw1p2_root, tmp_path):
    """The warnings of a run by its overrides, on a machine with so many bytes."""

    def of(num_bytes: int, *overrides: str) -> list[str]:
        monkeypatch.setattr(run_log, "memory_limit", lambda: num_bytes)
        data = ["data=hw1p2", f"data.root={hw1p2_root}"]
        run(compose(*data, *TINY, *overrides), tmp_path / "run")
        return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]

    return of


@pytest.mark.parametrize(
    ("overrides", "end"),
    [
        (["model.widths=[8]"], "train.order=windows reads it in large blocks"),
        (TDNN, "most chunks will be read from disk"),
    ],
)
def test_a_store_larger_than_memory_is_reported_with_a_remedy(warnings, overrides, end):
    said = [text for text in warnings(1, *overrides) if "memory" in text]
    assert len(said) == 1
    assert said[0].endswith(end)


@pytest.mark.parametrize(
    ("num_bytes", "overrides"),
    [(1 << 40, ["model.widths=[8]"]), (1, ["model.widths=[8]", "train.order=windows"])],
)
def test_a_store_that_fits_or_is_read_in_order_causes_no_warning(
    warnings, num_bytes, overrides
):
    assert not [text for text in warnings(num_bytes, *overrides) if "memory" in text]
