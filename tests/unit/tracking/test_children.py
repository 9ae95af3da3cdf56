"""The runs nested under a parent."""

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import TrackingError
from framesweep.tracking import load_children, open_tracker


def test_children_are_found_with_their_params_in_the_order_of_their_start(tracked_outputs):
    config, folder = TrackingConfig(), tracked_outputs / "sweeps" / "grid"
    with open_tracker(config, tracked_outputs, folder) as parent:
        for number in (0, 1):
            with open_tracker(
                config, tracked_outputs, folder / str(number), parent_run_id=parent.run_id
            ) as child:
                child.log_params({"number": number})
    assert parent.run_id is not None
    children = load_children(parent.run_id, None, tracked_outputs)
    assert [child.params["number"] for child in children] == ["0", "1"]
    assert [child.directory for child in children] == [folder / "0", folder / "1"]


def test_a_parent_that_does_not_exist_is_an_error(tracked_outputs):
    with pytest.raises(TrackingError):
        load_children("0" * 32, None, tracked_outputs)
