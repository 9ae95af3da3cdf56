"""The best value so far is a curve that ends at the result of the run."""

import math

from framesweep.runs.best_metrics import BestSoFar


def test_the_last_point_is_the_value_in_the_best_epoch():
    best = BestSoFar(["dev/accuracy"], maximize=True)
    values = [best.update({"dev/accuracy": x, "dev/loss": -x}) for x in (0.4, 0.7, 0.6)]
    assert values == [{"best/accuracy": x} for x in (0.4, 0.7, 0.7)]


def test_a_loss_is_minimized_and_further_objectives_come_from_the_same_epoch():
    best = BestSoFar(["dev/loss", "dev/accuracy", "model/params"], maximize=False)
    best.update({"dev/loss": 1.0, "dev/accuracy": 0.5})
    later = best.update({"dev/loss": 2.0, "dev/accuracy": 0.9})
    assert later == {"best/loss": 1.0, "best/accuracy": 0.5}


def test_any_value_is_better_than_nan():
    best = BestSoFar(["dev/accuracy"], maximize=True)
    assert math.isnan(best.update({"dev/accuracy": math.nan})["best/accuracy"])
    assert best.update({"dev/accuracy": 0.1}) == {"best/accuracy": 0.1}
