import pytest

from framesweep.config.error_messages import describe_bad_choice, describe_missing_launcher


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
