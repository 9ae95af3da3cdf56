import math

import pytest

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.trials._constraints import (
    CONSTRAINTS,
    VIOLATED,
    Constraint,
    copy_constraints,
    is_feasible,
    is_rejected,
    list_violations,
    read_constraints,
    write_constraints,
)

SMALL = Constraint("model/params", "<=", 20e6)
FAST = Constraint("speed", ">=", 200.0)


def test_a_constraint_is_a_sign_and_a_number():
    given = {"model/params": "<=20e6", "speed": " >= 200 "}
    assert read_constraints(given) == (SMALL, FAST)
    assert read_constraints(None) == ()
    assert str(SMALL) == "model/params<=2e+07"


@pytest.mark.parametrize("text", ["20e6", "<20e6", "==3", "<=many", ">=", "<=nan", None])
def test_anything_else_is_rejected(text):
    with pytest.raises(SweepError) as caught:
        read_constraints({"model/params": text})
    assert str(caught.value) == (
        f"hydra.sweeper.constraints.model/params: must be <= or >= and a number; found {text}. "
        'Type for example {model/params: "<=20e6"}'
    )


def test_a_text_without_metrics_is_rejected():
    with pytest.raises(
        SweepError, match=r"constraints: must be metrics with bounds; found a<=3"
    ):
        read_constraints("a<=3")


def test_a_violation_is_relative_to_the_bound():
    assert SMALL.measure_violation(30e6) == 0.5
    assert SMALL.measure_violation(20e6) == 0.0
    assert FAST.measure_violation(100.0) == 0.5
    assert FAST.measure_violation(300.0) < 0
    assert Constraint("x", "<=", 0.0).measure_violation(2.0) == 2.0
    assert FAST.measure_violation(math.nan) == math.inf


def test_only_known_metrics_can_violate_a_constraint():
    assert list_violations([SMALL, FAST], {"model/params": 3e7}) == [
        "model/params<=2e+07: found 3e+07"
    ]
    assert list_violations([SMALL, FAST], {"speed": 200.0}) == []


def test_a_trial_keeps_its_violations_as_optuna_does(storage, make_queue):
    queue = make_queue()
    first, second = queue.claim(3), queue.claim(3)
    write_constraints(storage, first.trial_id, [SMALL, FAST], {"model/params": 30e6})
    trial = queue.get_trial(first)
    assert trial.constraints == {"model/params": 0.5, "speed": 0.0}
    assert not is_feasible(trial)
    copy_constraints(storage, second.trial_id, trial)
    copied = queue.get_trial(second)
    assert copied.constraints == trial.constraints
    assert copied.user_attrs[VIOLATED] == trial.user_attrs[VIOLATED]
    write_constraints(storage, queue.claim(3).trial_id, [SMALL], {"model/params": 1.0})
    assert is_feasible(queue.get_trials()[2])


def test_a_rejected_trial_does_not_count(storage, make_queue):
    queue = make_queue()
    claim = queue.claim(1)
    storage.set_trial_user_attr(claim.trial_id, "pruned_by", CONSTRAINTS)
    assert is_rejected(queue.get_trial(claim))
    assert queue.count_states().total() == 0
    assert queue.count(5)[1] == 5
    queue.num_points = 3
    assert queue.count(5)[1] == 2
    assert queue.claim(2) is not None
