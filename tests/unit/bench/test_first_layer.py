"""The first layer is measured in two ways that compute as many outputs."""

from types import SimpleNamespace

from torch.nn import functional as F

from framesweep import kernels
from framesweep.bench import first_layer
from framesweep.bench.first_layer import measure_first_layer


def test_both_ways_are_measured(case) -> None:
    result = measure_first_layer(case, rounds=2)
    speeds = result["frames_per_second"]
    assert set(speeds) == {"gather", "convolution"}
    assert all(speed > 0 for speed in speeds.values())
    assert result["ratio"]["convolution"] > 0


def test_both_ways_compute_the_width_for_each_frame_of_a_batch(case, monkeypatch) -> None:
    shapes: dict[str, set[object]] = {"gather": set(), "convolution": set()}

    def linear(x, layer):
        y = kernels.linear(x, layer)
        shapes["gather"].add(tuple(y.shape))
        return y

    def conv1d(x, weight):
        y = F.conv1d(x, weight)
        shapes["convolution"].add(tuple(y[0].t().shape))
        return y

    monkeypatch.setattr(first_layer, "kernels", SimpleNamespace(linear=linear))
    monkeypatch.setattr(first_layer, "F", SimpleNamespace(conv1d=conv1d))
    measure_first_layer(case, rounds=1)
    experiment = case.build_experiment()
    expected = (experiment.plan.batch_size, experiment.widths[0])
    assert shapes == {"gather": {expected}, "convolution": {expected}}
