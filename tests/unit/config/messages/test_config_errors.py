import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException

import framesweep as fs
from framesweep.config.messages.config_errors import (
    describe_bad_choice,
    describe_config_error,
    describe_missing_launcher,
    describe_yaml_error,
)


@pytest.mark.parametrize(
    ("package", "extra"), [("ray", "ray"), ("submitit", "slurm"), ("joblib", "joblib")]
)
def test_a_missing_launcher_is_named_with_its_extra(package, extra):
    target = f"hydra_plugins.hydra_{package}_launcher.some_launcher.Launcher"
    line = describe_missing_launcher(RuntimeError(f"Unknown plugin class : '{target}'"))
    assert line == (
        f"hydra/launcher: hydra-{package}-launcher is not installed. "
        f'Run: pip install "framesweep[{extra}]"'
    )


def test_other_errors_say_nothing_of_extras():
    assert describe_missing_launcher(RuntimeError("no")) is None
    own = "Unknown plugin class : 'hydra_plugins.hydra_my_launcher.Launcher'"
    assert describe_missing_launcher(RuntimeError(own)) is None


@pytest.mark.parametrize("argument", ["model=5", "model=null", "model="])
def test_a_group_without_an_option_is_named(argument):
    error = ValueError("Config group override must be a string or a list. Got int")
    arguments = ["data.context=5", "seed=1", "optim=adam", argument]
    line = describe_bad_choice(error, arguments, {"optim", "model"})
    assert line == f"model: must be the name of an option; found {argument[6:]!r}"


def test_other_errors_say_nothing_of_options():
    assert describe_bad_choice(ValueError("no"), ["model=5"], {"model"}) is None


def test_a_tab_in_a_file_of_the_users_own_is_one_line_with_file_and_line_number(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("train:\n\tepochs: 1\n")
    with path.open() as file, pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load(file)
    line = describe_yaml_error(caught.value)
    assert line.startswith(f"{path}, line 2: must be valid YAML")
    assert "Indent with spaces" in line
    assert "\n" not in line


def test_a_misspelt_key_in_a_file_of_the_users_own_is_described_as_on_the_command_line(
    tmp_path,
):
    path = tmp_path / "experiment" / "e.yaml"
    path.parent.mkdir()
    path.touch()
    error = ConfigCompositionException(
        "In 'experiment/e': ConfigKeyError raised while composing config:\n"
        "Key 'contxt' not in 'DemoConfig'\n    full_key: data.contxt\n"
        "    object_type=DemoConfig"
    )
    keys, arguments = ["data.context", "data.root"], ["--config-dir", str(tmp_path)]
    line = describe_config_error(error, keys, arguments)
    assert line == f"{path}: data.contxt: no such key. Did you mean data.context?"
    path.unlink()  # as if Hydra had named a schema
    line = describe_config_error(error, keys, arguments)
    assert line == "data.contxt: no such key. Did you mean data.context?"


def test_a_sweep_that_does_not_fit_the_options_is_left_for_a_space_of_the_users_own():
    error = ConfigCompositionException(
        "In 'sweep/optuna': ConfigKeyError raised while composing config:\n"
        "Key 'widths' not in 'TdnnConfig'\n    full_key: model.widths\n"
        "    object_type=TdnnConfig"
    )
    line = describe_config_error(error, [], ["model=tdnn"])
    fix = "Choose one of these, or type sweep=bare and a space of your own"
    assert line.endswith(f" and model=wide have it. {fix}")


def test_a_single_value_where_a_list_is_needed_is_shown_as_a_list():
    cause = "Invalid value assigned: str is not a ListConfig, TupleConfig, list, or tuple."
    error = ConfigCompositionException("Error merging override tracking.also=wandb")
    error.__cause__ = ValueError(f"{cause}\n    full_key: tracking.also")
    line = describe_config_error(error, ["tracking.also"])
    assert line == (
        "tracking.also: must be a list. Write tracking.also=[A,B], or tracking.also=[A] for a "
        "single value."
    )


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("tracking.also={wandb:1}", "tracking.also: must be a list. Write tracking.also=[A,B]"),
        ("tracking.tags=[a]", "tracking.tags: must be a mapping of keys to values. Write ++"),
        ("tracking.tags=a", "tracking.tags: must be a mapping of keys to values. Write ++"),
        ("train=3", "train: must be a mapping of keys to values. Write train.KEY=VALUE."),
        ("sweep.new=maybe", "sweep.new: must be true or false; found 'maybe'"),
    ],
)
def test_a_value_of_another_kind_is_named_with_the_kind_that_is_needed(override, line):
    with pytest.raises(fs.FramesweepError) as error:
        fs.compose([override])
    assert str(error.value).startswith(line)


def test_an_interval_in_a_file_of_the_users_own_needs_a_search():
    error = HydraException("BasicSweeper does not support sweep type : INTERVAL_SWEEP")
    rule = "interval(...) needs a search, because a grid has only listed values"
    line = describe_config_error(error, [], ["+experiment=mine"])
    assert line == f"hydra.sweeper.params: {rule}. Add sweep=bare"
    line = describe_config_error(error, [], ["optim.lr=interval(1,2)"])
    assert line == f"optim.lr: {rule}. Add sweep=bare, or list values as optim.lr=1,2,3"


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("wide", "wide: must be KEY=VALUE. Did you mean model=wide?"),
        ("xyz", "xyz: must be KEY=VALUE"),
    ],
)
def test_a_bare_word_is_no_override(word, line):
    with pytest.raises(HydraException) as error:
        OverridesParser.create().parse_overrides([word])
    assert describe_config_error(error.value, [], [word]) == line
