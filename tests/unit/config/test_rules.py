"""Rules on single values."""

import pytest

from framesweep.config.rules import require_metrics, require_model_name, require_odd_kernel
from framesweep.errors import ConfigError


def test_a_kernel_has_a_frame_in_its_middle():
    require_odd_kernel("model.kernel", 5)
    with pytest.raises(ConfigError, match="as many steps on each side of the middle one"):
        require_odd_kernel("model.kernel", 4, "steps")


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "'a'", "", " a", ".", "a" * 257])
def test_a_model_that_mlflow_would_refuse_is_refused(name):
    require_model_name("tracking.register", "phones 2")
    with pytest.raises(ConfigError, match=r"^tracking\.register: must be a name"):
        require_model_name("tracking.register", name)


def test_metrics_are_objectives():
    require_metrics("dev/accuracy", [])
    require_metrics("dev/loss", ["model/params", "dev/phone_error_rate"])


@pytest.mark.parametrize(
    ("objective", "further", "key"),
    [
        ("dev/acc", [], "objective"),
        ("model/params", [], "objective"),
        ("dev/accuracy", ["dev/acc"], "further_objectives"),
    ],
)
def test_other_objectives_are_refused_with_those_that_there_are(objective, further, key):
    with pytest.raises(ConfigError, match=rf"^{key}: must be one of dev/accuracy .*; found"):
        require_metrics(objective, further)


@pytest.mark.parametrize("further", [["dev/accuracy"], ["dev/loss", "dev/loss"]])
def test_each_objective_is_another_metric(further):
    message = rf"^further_objectives: must not contain .* twice; found '{further[-1]}'"
    with pytest.raises(ConfigError, match=message):
        require_metrics("dev/accuracy", further)
