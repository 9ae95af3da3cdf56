import pytest

from framesweep.wording import missing_extra


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
