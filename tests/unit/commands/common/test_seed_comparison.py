import optuna
import pytest
from optuna.trial import create_trial

from framesweep.commands.common.seed_comparison import compare_over_seeds
from framesweep.runs import reruns

VALUES = {0: [0.50, 0.51, 0.50], 1: [0.60, 0.61, 0.60]}
"""What each trial reaches with each of three seeds."""


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Compares two trials, the first of which was the better one in the search."""

    def measure(_, number, directory, seeds):
        assert directory == tmp_path / f"trial {number}"  # as it was recorded
        return VALUES[number][: len(seeds)]

    monkeypatch.setattr(reruns.SeedRuns, "measure", measure)

    def call(direction, num_seeds):
        study = optuna.create_study(direction=direction)
        for number in VALUES:
            attrs = {"directory": str(tmp_path / f"trial {number}")}
            study.add_trial(create_trial(value=0.7, user_attrs=attrs))
        lines: list[str] = []
        echo = lines.append
        return compare_over_seeds(study, study.trials, num_seeds, tmp_path, None, echo), lines

    return call


@pytest.mark.parametrize(
    ("direction", "best", "other"), [("maximize", 1, 0), ("minimize", 0, 1)]
)
def test_the_trial_with_the_best_mean_wins(compare, direction, best, other):
    comparison, lines = compare(direction, 3)
    assert comparison.best.number == best
    assert lines[0].strip() == "mean and 95 % confidence interval over 3 seeds:"
    assert lines[1].startswith("  trial 0    0.5033 ± ")
    assert lines[-1].startswith(f"trial {best} is better than trial {other}: ")


def test_the_comparison_has_the_means_and_the_verdicts(compare):
    found = compare("maximize", 3)[0].to_dict()
    assert [(mean["trial"], round(mean["mean"], 4)) for mean in found["means"]] == [
        (0, 0.5033),
        (1, 0.6033),
    ]
    (difference,) = found["differences"]
    assert (difference["trial"], difference["other"]) == (1, 0)
    assert difference["mean"] == pytest.approx(0.1)
    assert difference["is_significant"]


def test_one_seed_decides_nothing(compare):
    _, lines = compare("maximize", 1)
    assert lines[0].endswith("over 1 seed:")
    assert "trial 1 is not significantly different from trial 0" in lines[-1]
