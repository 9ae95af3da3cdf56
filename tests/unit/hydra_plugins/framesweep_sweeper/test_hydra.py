import pytest
from hydra.errors import InstantiationException

from hydra_plugins.framesweep_sweeper._hydra import instantiate_allowed


def test_only_what_is_allowed_is_called():
    config = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}
    assert str(instantiate_allowed(config, "fractions.*")) == "1/2"
    assert str(instantiate_allowed(config, ("a.b", "fractions.Fraction"))) == "1/2"
    with pytest.raises(InstantiationException):
        instantiate_allowed(config, "decimal.*")
