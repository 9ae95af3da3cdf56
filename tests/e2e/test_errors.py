"""What a user mistypes gets one line and exit code 2."""

import re

import pytest


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["data.contxt=5"], "data.contxt: no such key. Did you mean data.context?"),
        (["optimm=adam"], "optimm: no such key. Did you mean optim?"),
        (["+foo=1"], "foo: no such key. Remove it."),
        (
            ["model=bas"],
            "model: must be one of base conformer conv conv_small",
        ),
        (
            ["-m", "hydra/sweeper/sampler=cmaes", "model.dropout=interval(0,0.5)"],
            "hydra/sweeper/sampler: belongs to a search. Add sweep=bare",
        ),
        (
            ["model.dropout=high"],
            "model.dropout: must be a number or a list of numbers; found high",
        ),
        (["model=5"], "model: must be the name of an option; found '5'"),
        (["-m", "tracking=null"], "tracking: must be the name of an option; found 'null'"),
        (
            ["tracking.tags={a: 1}"],
            "tracking.tags: must have the prefix ++ to add an entry. Type ++tracking.tags=",
        ),
        (["data.context=abc"], "data.context: must be an integer; found 'abc'"),
        (["data.context=51"], "data.context: must be between 0 and 50; found 51"),
        (
            ["data.padding=mirror"],
            "data.padding: must be one of zero replicate cross; found 'mirror'",
        ),
        (["-m", "data=hw1p2", "data.root=/nowhere", "data.context=5,6"], "data.root: must be"),
        (
            ["-m", "sweep=bare", "data=hw1p2", "data.root=/nowhere", "seed=range(0,9)"],
            "data.root: must be an existing folder; found '/nowhere'",
        ),
        (
            ["data=hw1p2", "data.root=/nowhere"],
            "data.root: must be an existing folder; found '/nowhere'",
        ),
        (["resume=nope"], "run: must be the id or the name of a run; found 'nope'"),
        (
            [
                "-m",
                "sweep=bare",
                "seed=range(0,9)",
                "hydra.sweeper.direction=[minimize,maximize]",
            ],
            "hydra.sweeper.direction: must be one for each objective (dev/accuracy); found",
        ),
        (
            ["-m", "sweep=bare", "hydra.sweeper.study_name=../out"],
            "hydra.sweeper.study_name: must consist of letters, digits and . _ - only, because",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_user_error_is_one_line_with_exit_code_2_and_leaves_no_run(shell, arguments, line):
    errors = shell.train(*arguments, code=2).stderr
    assert f"error: {line}" in errors or line in errors
    assert "Traceback" not in errors
    assert len([text for text in errors.splitlines() if text.startswith("error:")]) == 1
    assert list((shell.folder / "outputs").glob("*/*")) == []


@pytest.mark.heavy
def test_weights_of_another_model_are_a_one_line_error(shell):
    outputs = [
        shell.train(*shell.small, "train.epochs=1", f"model.widths={widths}").stdout
        for widths in ("[8]", "[8,8]")
    ]
    one, other = (run / "model" / "model.safetensors" for run in shell.runs)
    other.write_bytes(one.read_bytes())
    identity = re.search(r"^run: (\w+)", outputs[1], re.MULTILINE).group(1)
    errors = shell.framesweep("evaluate", identity, code=2).stderr
    assert "model.safetensors: must" in errors
    assert "Traceback" not in errors


def test_an_output_folder_that_cannot_be_written_is_a_one_line_error(shell):
    errors = shell.train(*shell.small, "outputs=/proc/nowhere", code=2).stderr
    assert "error: /proc/nowhere" in errors
    assert "Traceback" not in errors
