"""Errors in the user's own config files: the file, the key, the rule and what to do."""

import pytest
from hydra.errors import HydraException, InstantiationException

from framesweep.config.composition import compose, register
from framesweep.config.user_files import (
    config_folders,
    require_no_run_folders,
    require_text,
)
from framesweep.errors import ConfigError
from framesweep.system.error_lines import describe_error
from hydra_plugins.framesweep_sweeper._hydra import instantiate_allowed

GLOBAL = "# @package _global_\n"
FILES: list[tuple[str, bytes | str, str]] = [
    (
        "misspelt",
        "data:\n  contxt: 5\n",
        "data.contxt: no such key. Did you mean data.context?",
    ),
    ("value", "train:\n  epochs: many\n", "train.epochs: must be an integer; found 'many'"),
    ("range", "data:\n  padding: nil\n", "data.padding: must be one of zero replicate cross"),
    ("items", "- train\n- epochs\n", "must be a mapping of keys to values"),
    ("list_for_group", "train: [1, 2]\n", "train: must be a mapping of keys to values"),
    ("number_for_group", "data: 5\n", "data: must be a mapping of keys to values"),
    ("twice", "seed: 1\nseed: 2\n", "line 3: must be valid YAML (found duplicate key seed)"),
    ("tab", "train:\n\tepochs: 1\n", "Indent with spaces, not with tabs."),
    ("unclosed", "model:\n  widths: [1, 2\n", "must be valid YAML"),
    ("latin1", "# caf\xe9\nseed: 1\n".encode("latin-1"), "line 2: must be saved in UTF-8"),
    (
        "option",
        "defaults:\n  - override /model: wied\n",
        "model: must be one of base conformer conv",
    ),
    ("second", "defaults:\n  - /model: wide\n", "Type '- override /model: wide' there"),
    ("absent", "defaults:\n  - nothing_here\n", "its defaults name experiment/nothing_here"),
    (
        "of_other",
        "defaults:\n  - override /optim: sgd\noptim:\n  beta1: 0.5\n",
        "only optim=adam",
    ),
]
"""Names of files, what follows the package line, and what is said about it."""


@pytest.fixture
def describe(tmp_path):
    """Return a function that composes with `experiment/NAME.yaml` and returns the error."""
    register()
    (tmp_path / "experiment").mkdir()

    def describe(name: str, content: bytes) -> str:
        path = tmp_path / "experiment" / f"{name}.yaml"
        path.write_bytes(content)
        chosen = f"+experiment={name}"
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any that Hydra raises
            compose([f"hydra.searchpath=['file://{tmp_path}']", chosen])
        line = describe_error(caught.value, ["--config-dir", str(tmp_path), chosen])
        assert line is not None
        assert "\n" not in line
        return line.replace(str(path), "FILE")

    return describe


@pytest.mark.parametrize(("name", "content", "says"), FILES)
def test_an_error_names_the_file_and_what_is_wrong_in_it(describe, name, content, says):
    data = content if isinstance(content, bytes) else content.encode()
    line = describe(name, GLOBAL.encode() + data)
    assert line.startswith(("FILE: ", "FILE, line "))
    assert says in line
    assert "raised while composing" not in line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"seed: 1\n", "or its keys are those of a group experiment, which does not exist."),
        (b"", "must begin with the line '# @package _global_'"),
        (b"\xef\xbb\xbf" + GLOBAL.encode() + b"seed: 1\n", "save it as UTF-8 without one."),
        ((GLOBAL + "seed: 1\n").encode("utf-16"), "must be saved in UTF-8; found UTF-16"),
    ],
)
def test_a_file_without_its_package_line_or_in_another_encoding_is_named(
    describe, content, says
):
    line = describe("mine", content)
    assert line.startswith("FILE")
    assert says in line


@pytest.mark.parametrize("flag", ["--config-dir", "--config-path", "-cd", "-cp"])
def test_the_directory_of_a_run_is_no_folder_of_configs(tmp_path, flag):
    (tmp_path / "config.yaml").write_text("# checksum: 0\nschemas:\n  data: demo\n")
    for arguments in ([flag, str(tmp_path)], [f"{flag}={tmp_path}", "seed=1"]):
        with pytest.raises(ConfigError, match=r"Type resume=\S+ to resume the run") as caught:
            require_no_run_folders(arguments)
        assert str(caught.value).startswith(f"{flag}: must be a folder of config files")


def test_folders_of_the_users_own_are_accepted(tmp_path):
    (tmp_path / "config.yaml").write_text("defaults:\n  - /config\nseed: 1\n")
    arguments = ["--config-dir", str(tmp_path), "--config-path", str(tmp_path / "none"), "-cd"]
    require_no_run_folders(arguments)
    assert [flag for flag, _ in config_folders(arguments)] == ["--config-dir", "--config-path"]


ON_THE_COMMAND_LINE = [
    (
        ["optim=sgd", "optim.beta1=0.5"],
        "optim.beta1: optim=sgd has no such key; only optim=adam",
    ),
    (["model.channels=5"], "model.channels: only model=tdnn has this key"),
    (
        ["optim=sgd", "optim.momentun=0.5"],
        "optim.momentun: no such key. Did you mean optim.mom",
    ),
    (["optim.lr=intervall(0,1)"], "Did you mean interval(...)?"),
    (["optim.lr=interval(0,1).tag(log)"], "Type tag(log, interval(0,1))"),
    (["train.patience=choice(null,1)"], "choice(...) must not contain null"),
    (
        ["recipe=timit", "data=kaldi"],
        "data.exclude: data=kaldi has no such key; only data=segm",
    ),
]


@pytest.mark.parametrize(("arguments", "says"), ON_THE_COMMAND_LINE)
def test_an_error_on_the_command_line_says_what_to_type(arguments, says):
    register()
    with pytest.raises(HydraException) as caught:
        compose(arguments)
    line = str(describe_error(caught.value, arguments))
    assert says in line
    assert "Did you mean optim.beta1" not in line


def test_a_callback_of_the_users_own_is_refused_with_how_to_allow_it():
    text = "Target 'mine.Mine' is not in the Hydra execution whitelist.\nfull_key: "
    error = InstantiationException(f"{text}hydra.callbacks.mine")
    assert describe_error(error, []) == (
        "hydra.callbacks.mine: must be allowed before it may run code; found mine.Mine. "
        "If you trust it, set FRAMESWEEP_ALLOW=mine.Mine in the environment"
    )


@pytest.mark.parametrize("target", ["os.system", "builtins.getattr", "operator.call"])
def test_what_no_config_may_call_is_refused_with_what_to_write_instead(target):
    with pytest.raises(InstantiationException) as caught:
        instantiate_allowed({"callbacks": {"mine": {"_target_": target}}}, "mine.*")
    assert describe_error(caught.value, []) == (
        "callbacks.mine: must not be an object that does whatever a config says; found "
        f"{target}. Write a function or class that does what you need, and allow that"
    )


def test_an_argument_with_bytes_that_are_no_text_is_refused():
    require_text(["data.root=/café", "tracking.run_name=日本"])
    with pytest.raises(ConfigError, match=r"^data\.root: must be UTF-8 text; found '.caf"):
        require_text(["data.root=/caf\udce9"])
