"""The recipes and runs that a search can start from."""

from unittest.mock import Mock

import hydra
import pytest

from configs import compose
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.config.groups import find_conf
from framesweep.runs.known_points import KnownPoints

register()


@pytest.fixture
def find(tmp_path):
    """Return a function that finds a point for a sweep whose outputs are in tmp_path."""

    def find(name, outputs=tmp_path):
        with hydra.initialize_config_dir(str(find_conf())):
            overrides = [f"outputs={outputs}", "tracking=none"]
            config = hydra.compose("config", overrides, return_hydra_config=True)
        return KnownPoints().find(name, config)

    return find


def test_a_recipe_is_its_override(find):
    assert find("quick") == ["recipe=quick"]


def test_a_run_has_its_values_and_the_schemas_of_its_groups(find, tmp_path):
    run = tmp_path / "runs" / "2026-01-01" / "00-00-00-aaaaaa"
    run.mkdir(parents=True)
    config = compose(["data.context=7", "optim=sgd", "optim.momentum=0.5"])
    (run / CONFIG_FILE).write_text(dump(config), encoding="utf-8")
    values = find(str(run))
    assert values["data.context"] == 7
    assert (values["optim"], values["optim.momentum"]) == ("sgd", 0.5)


@pytest.mark.parametrize("name", ["typo", "_quick", "0123456789abcdef0123456789abcdef"])
def test_another_name_is_unknown(find, name):
    assert find(name) is None


def test_a_database_that_lacks_a_name_is_not_written_to(find, tracked_outputs, monkeypatch):
    # MLflow's client corrects what a database records of a folder that was moved.
    connect = Mock()
    monkeypatch.setattr("framesweep.tracking.mlflow_store.connect", connect)
    assert find("typo", tracked_outputs) is None
    connect.assert_not_called()
