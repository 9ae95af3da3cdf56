import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.trials._constraints import (
    Constraint,
    RejectedPointError,
)
from hydra_plugins.framesweep_sweeper.trials._point_check import PointCheck

SMALL = Constraint("size", "<=", 10.0)
TOO_LARGE = OmegaConf.create({"size": 15})


class Previewer:
    """Knows the size of a job, which is in its config."""

    def metrics(self, config, names):
        assert names == ["size"]
        return {"size": float(config.size)}


def test_a_point_is_rejected_before_it_runs(storage, make_queue):
    queue = make_queue()
    claim = queue.claim(1)
    check = PointCheck(storage, (SMALL,), Previewer())
    check(claim, OmegaConf.create({"size": 10}))
    with pytest.raises(RejectedPointError) as caught:
        check(claim, TOO_LARGE)
    assert str(caught.value) == "size<=10: found 15"
    assert caught.value.metrics == {"size": 15.0}
    assert queue.get_trial(claim).constraints == {"size": 0.5}


def test_without_constraints_or_a_previewer_every_point_runs(storage, make_queue):
    claim = make_queue().claim(1)
    PointCheck(storage, (), Previewer())(claim, TOO_LARGE)
    for previewer in (None, object()):
        PointCheck(storage, (SMALL,), previewer)(claim, TOO_LARGE)
