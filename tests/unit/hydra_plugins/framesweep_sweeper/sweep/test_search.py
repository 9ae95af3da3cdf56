"""What a command searches is checked before its study is opened."""

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._pruner_schemas import PercentilePrunerConf
from hydra_plugins.framesweep_sweeper.sweep import _search
from hydra_plugins.framesweep_sweeper.sweep._search import read_point_constraints, read_search


class Previewer:
    """Knows a single metric."""

    def require_metric(self, name):
        if name != "size":
            raise SweepError(f"no metric {name}")


@pytest.mark.parametrize(("n_trials", "total"), [(2, 2), (20, 6)])
def test_the_total_of_a_grid_is_at_most_the_number_of_its_points(
    make_settings, n_trials, total
):
    sampler = {"_target_": "optuna.samplers.GridSampler", "_partial_": True}
    settings = make_settings(sampler=sampler, n_trials=n_trials, params={"x": "choice(1,2)"})
    search = read_search(settings, ["y=choice(a,b,c)", "z=1"])
    assert search.total == total
    assert [each.key for each in search.spaces[0].searched] == ["x", "y"]
    assert search.custom is None


def test_a_space_without_keys_is_searched_only_if_repeats_are_asked_for(make_settings):
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.params: must have a key to search"):
        read_search(make_settings(), ["x=1"])
    assert read_search(make_settings(repeat_duplicates=True), ["x=1"]).total == 20


def test_a_pruner_that_cannot_be_built_is_refused_before_the_study_is_opened(make_settings):
    wrong = PercentilePrunerConf(percentile=400.0)
    settings = make_settings() | {"pruner": OmegaConf.structured(wrong)}
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.pruner: Percentile must be between"):
        read_search(settings, ["x=choice(1,2)"])


def test_a_constraint_of_an_unknown_metric_is_refused(make_settings, monkeypatch):
    monkeypatch.setattr(_search, "build_previewer", lambda _: Previewer())
    constraints, previewer = read_point_constraints(make_settings(constraints={"size": "<=2"}))
    assert [str(each) for each in constraints] == ["size<=2"]
    assert isinstance(previewer, Previewer)
    with pytest.raises(SweepError, match="no metric sise"):
        read_point_constraints(make_settings(constraints={"sise": "<=2"}))
    assert read_point_constraints(make_settings()) == ((), None)
