"""What the display of a sweep shows, with a display that keeps it."""

from hydra_plugins.framesweep_sweeper.sweep import _study_display
from hydra_plugins.framesweep_sweeper.sweep._progress import PlainProgress, RunningTrial
from hydra_plugins.framesweep_sweeper.sweep._study_display import StudyDisplay


class Shown(PlainProgress):
    """Keeps the lines of each update."""

    seconds = 3600.0

    def __init__(self):
        self.updates = []

    def update(self, summary, slots):
        self.updates.append((summary.format_line(), [slot.last for slot in slots if slot]))


def test_the_display_shows_what_jobs_reported_last(make_queue):
    queue, shown = make_queue(), Shown()
    claim = queue.claim(3)
    claim.trial.report(0.25, step=2)
    display = StudyDisplay(queue, shown, 3, 2)
    display.update([RunningTrial(claim.number, 1, ""), None])
    assert shown.updates == [("study: 0/3 done, 0 pruned, 0 failed, best -", ["step 2: 0.25"])]


def test_the_display_is_updated_rarely_and_whenever_a_trial_ends(make_queue, monkeypatch):
    queue, shown = make_queue(), Shown()
    monkeypatch.setattr(_study_display.time, "monotonic", lambda: 0.0)
    display = StudyDisplay(queue, shown, 4, 2)
    for _ in range(3):
        display.update([None])
    assert len(shown.updates) == 1
    display.add_result(300.0)
    display.hurry()
    display.update([None])
    assert shown.updates[1][0].endswith("about 10 min left")


def test_the_time_left_is_at_most_that_of_the_search(make_queue):
    shown = Shown()
    display = StudyDisplay(make_queue(), shown, 4, 2)
    display.add_result(300.0)
    display.update([None], seconds_left=180.0)
    assert shown.updates[0][0].endswith("about 3 min left")


def test_in_a_large_study_ended_trials_are_shown_after_a_rest(make_queue, monkeypatch):
    """Otherwise each of its trials would cost the time that reading all of them takes."""
    queue, shown, clock = make_queue(), Shown(), [0.0]
    monkeypatch.setattr(_study_display.time, "monotonic", lambda: clock[0])
    display = StudyDisplay(queue, shown, 4, 2)
    get_trials = queue.get_trials

    def read_for_a_second():
        clock[0] += 1.0
        return get_trials()

    monkeypatch.setattr(queue, "get_trials", read_for_a_second)
    display.update([None])
    clock[0] += _study_display.HURRIED_REST - 0.5
    display.hurry()
    display.update([None])
    assert len(shown.updates) == 1
    clock[0] += 1.0
    display.update([None])
    assert len(shown.updates) == 2
