import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.grid import build_axes
from hydra_plugins.framesweep_sweeper.sweep.preview._grid import describe_grid


class ParsedOverrides:
    def load_sweep_config(self, config, overrides):
        return OmegaConf.from_dotlist(overrides)


class Area:
    def size(self, config):
        return config.width * config.depth

    def estimate(self, extremes, num_trials, num_workers):
        return [f"{num_trials} {num_workers}"]


PREVIEW = {"sweeper": {"preview": "${sweep.preview}"}}


def describe(*arguments, previewer=None, launcher=None):
    axes = build_axes(OverridesParser.create().parse_overrides([*arguments]))
    loader: Any = ParsedOverrides()
    config = OmegaConf.create({"hydra": {**PREVIEW, "launcher": launcher or {}}})
    return list(describe_grid(axes, loader, config, previewer))


def test_a_small_grid_is_shown_as_it_is():
    lines = describe(
        *("width=tag(zip,choice(8,16))", "seed=3", "depth=1,2", "lr=tag(zip,choice(0.1,0.2))"),
        "++sweep.preview=true",
        previewer=Area(),
    )
    assert lines == [
        "preview: nothing is run or written",
        "  key       values",
        "  width lr  8 0.1, 16 0.2",
        "  depth     1, 2",
        "size: 4 runs",
        "fixed: seed=3",
        "4 sampled points:",
        "  parameters",
        "  8           width=8 lr=0.1 depth=1",
        "  16          width=8 lr=0.1 depth=2",
        "  16          width=16 lr=0.2 depth=1",
        "  32          width=16 lr=0.2 depth=2",
        "smallest: 8 parameters with width=8 lr=0.1 depth=1",
        "largest: 32 parameters with width=16 lr=0.2 depth=2",
        "4 1",
    ]


def test_points_of_a_large_grid_are_drawn():
    lines = describe("a=range(100)", "b=range(100)", "c=range(100)")
    assert "size: 1,000,000 runs" in lines
    points = lines[lines.index("5 sampled points:") + 1 :]
    assert len(set(points)) == 5


def test_a_grid_without_sweep_is_a_single_run():
    assert describe("width=8", "depth=1", previewer=Area()) == [
        "preview: nothing is run or written",
        "size: 1 run",
        "1 sampled point:",
        "  parameters",
        "  8           width=8 depth=1",
        "1 1",
    ]


@pytest.mark.parametrize(("n_jobs", "workers"), [(2, 2), (8, 3)])
def test_joblib_has_as_many_workers_as_its_setting_says(monkeypatch, n_jobs, workers):
    joblib = SimpleNamespace(effective_n_jobs=lambda n_jobs: n_jobs)
    monkeypatch.setitem(sys.modules, "joblib", joblib)
    launcher = {"_target_": "hydra_plugins.hydra_joblib_launcher.X", "n_jobs": n_jobs}
    lines = describe("width=8,16,32", "depth=1", previewer=Area(), launcher=launcher)
    assert lines[-1] == f"3 {workers}"
