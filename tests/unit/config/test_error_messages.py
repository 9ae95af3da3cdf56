import pytest

from framesweep.config.error_messages import missing_extra, not_an_option


@pytest.mark.parametrize(
    ("package", "extra"), [("ray", "ray"), ("submitit", "slurm"), ("joblib", "joblib")]
)
def test_a_missing_launcher_is_named_with_its_extra(package, extra):
    target = f"hydra_plugins.hydra_{package}_launcher.some_launcher.Launcher"
    line = missing_extra(RuntimeError(f"Unknown plugin class : '{target}'"))
    assert line == (
        f"hydra/launcher: hydra-{package}-launcher is not installed. "
        f'Run: pip install "framesweep[{extra}]"'
    )


def test_other_errors_say_nothing_of_extras():
    assert missing_extra(RuntimeError("no")) is None
    own = "Unknown plugin class : 'hydra_plugins.hydra_my_launcher.Launcher'"
    assert missing_extra(RuntimeError(own)) is None


@pytest.mark.parametrize("argument", ["model=5", "model=null", "model="])
def test_a_group_without_an_option_is_named(argument):
    error = ValueError("Config group override must be a string or a list. Got int")
    arguments = ["data.context=5", "seed=1", "optim=adam", argument]
    line = not_an_option(error, arguments, {"optim", "model"})
    assert line == f"model: must be the name of an option; found {argument[6:]!r}"


def test_other_errors_say_nothing_of_options():
    assert not_an_option(ValueError("no"), ["model=5"], {"model"}) is None
