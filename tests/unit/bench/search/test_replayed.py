"""What a replayed search had found by a time, and when it reached a goal."""

from framesweep.bench.search.replayed import Replay

REPLAY = Replay([(2.0, 0.5), (5.0, 0.7), (6.0, 0.6)], 4, 1, 0.0, 0.0, 8.0)


def test_the_best_is_that_of_trials_completed_by_then() -> None:
    assert [REPLAY.find_best(t) for t in (1.0, 2.0, 4.9, 9.0)] == [None, 0.5, 0.5, 0.7]


def test_a_goal_is_reached_by_the_first_trial_that_is_as_good() -> None:
    assert [REPLAY.seconds_to(goal) for goal in (0.4, 0.6, 0.7, 0.8)] == [2.0, 5.0, 5.0, None]
