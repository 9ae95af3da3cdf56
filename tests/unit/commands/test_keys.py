"""framesweep keys."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from framesweep.commands.keys import command
from framesweep.config.reference.key_pages import render_markdown
from framesweep.errors import ConfigError


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_key_is_explained():
    assert invoke("data.context").splitlines() == [
        "data.context",
        "    int, unit frames, default 25, affects result",
        "    Context on each side of the center frame, from 0 to 50. A window has",
        "    2*context+1 frames.",
    ]


def test_a_group_is_explained_by_what_its_options_are_for_and_by_its_keys():
    recipes = invoke("recipe")
    assert "quick      The best accuracy in two minutes on two cores" in recipes
    assert recipes.endswith("python train.py recipe=OPTION --cfg job\n")
    output = invoke("augment")
    assert output.index("specaugment  SpecAugment") < output.index("augment.time_masks\n")


def test_several_patterns_give_each_key_once():
    output = invoke("train.epochs", "train.ep*", "seed")
    keys = [line for line in output.splitlines() if line and not line.startswith(" ")]
    assert keys == ["train.epochs", "data.seed  (only data=demo)", "seed"]


def test_all_keys_are_explained_without_a_pattern():
    output = invoke()
    assert max(map(len, output.splitlines())) <= 80
    assert {"optim.lr", "train.patience", "outputs"} <= set(output.splitlines())


def test_an_unknown_pattern_is_an_error_with_near_keys():
    with pytest.raises(ConfigError, match=r"^PATTERN: .*'data\.contxt'.* data\.context "):
        CliRunner().invoke(command, ["data.contxt"], catch_exceptions=False)


def test_the_page_is_printed():
    assert invoke("--markdown") == render_markdown()


def test_nothing_slow_is_imported():
    code = (
        "import sys; from framesweep.commands.keys import command;"
        "command(['seed'], standalone_mode=False);"
        "assert not {'torch', 'mlflow', 'optuna', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--markdown", "data"], "PATTERN: cannot be used with --markdown; found 'data'"),
        (["--markdown", "--json"], "--json: cannot be used with --markdown; found True"),
        (["--json-schema", "--json"], "--json: cannot be used with --json-schema; found True"),
        (["--json-schema", "a", "b"], "PATTERN: must be a single group; found 'a b'"),
    ],
)
def test_what_would_have_no_effect_is_refused(arguments, line):
    with pytest.raises(ConfigError) as error:
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert str(error.value) == line
