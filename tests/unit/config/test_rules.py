"""Rules on single values."""

import pytest

from framesweep.config.rules import require_model_name, require_odd_kernel
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
