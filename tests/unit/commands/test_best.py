import optuna
import pytest
from click.testing import CliRunner
from optuna.trial import create_trial

from framesweep.commands.best import command
from framesweep.errors import ConfigError


@pytest.fixture
def best(tmp_path):
    """Calls `framesweep best` on a study of two objectives, one point of it repeated."""
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="p", storage=url, directions=["maximize"] * 2)
    for values, attrs in (([1.0, 2.0], {}), ([1.0, 2.0], {"duplicate_of": 0})):
        study.add_trial(create_trial(values=values, user_attrs=attrs))

    def call(*options):
        return CliRunner().invoke(command, ["p", "--outputs", str(tmp_path), *options])

    return call


def test_a_front_has_each_point_once(best):
    result = best()
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.output.splitlines()[1:-1]] == ["0"]


@pytest.mark.parametrize(("option", "value"), [("--top", 1), ("--top", 3), ("--seeds", 2)])
def test_a_front_has_no_order_to_take_leaders_by(best, option, value):
    error = best(option, str(value)).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(
        f"{option}: requires a study with a single objective; found {value}"
    )
