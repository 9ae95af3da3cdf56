import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._hydra import find_alias, instantiate_allowed


def test_only_what_is_allowed_is_called():
    config = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}
    assert str(instantiate_allowed(config, "fractions.*")) == "1/2"
    assert str(instantiate_allowed(config, ("a.b", "fractions.Fraction"))) == "1/2"
    with pytest.raises(InstantiationException):
        instantiate_allowed(config, "decimal.*")


def test_a_setting_has_the_key_that_the_application_sets_it_by():
    sweeper = {"preview": "${sweep.preview}", "new": False, "storage": "a${b}"}
    config = OmegaConf.create({"hydra": {"sweeper": sweeper}})
    assert find_alias(config, "preview") == "sweep.preview"
    assert find_alias(config, "new") == "hydra.sweeper.new"
    assert find_alias(config, "storage") == "hydra.sweeper.storage"
    assert find_alias(OmegaConf.create(), "new") == "hydra.sweeper.new"
