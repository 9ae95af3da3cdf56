"""The documentation: its commands work, its links lead somewhere, its versions agree."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import documents
from documents import COMMANDS, DOCUMENTS, PROJECT, REPOSITORY, Command, links_of
from e2e.walkthrough import after_run, after_search, label_recordings, run_training
from framesweep import __version__
from integration.conftest import write_folders
from toy import ToyCorpus

UNCHECKED = {
    "cd": "the shell's",
    "cp": "the shell's",
    "createdb": "PostgreSQL's",
    "curl": "asks a server",
    "export": "the shell's",
    "git": "needs a network",
    "kaggle": "needs an account",
    "optuna-dashboard": "of an extra",
    "python3": "creates a virtual environment",
    "sed": "the shell's",
    "source": "the shell's",
    "unzip": "not installed everywhere",
}
"""Commands of which nothing depends on this project, and whose they are."""

PARSED_ONLY = {
    "--nnodes": "needs two machines",
    "docker ": "test_docker.py rehearses the steps of the image and runs a container's command",
    "--storage": "test_slurm.py searches with a journal file",
    "/path/to/kaldi": "tests/unit/data/readers/test_kaldi.py reads such a corpus",
    "/path/to/features": "tests/unit/data/readers/test_segments_frames.py reads such a corpus",
    "/path/to/libriphone": "tests/unit/data/readers/test_libriphone.py reads such a corpus",
    "/path/to/timit": "TIMIT is not free; tests/integration/test_recipes.py composes it",
    "framesweep db upgrade": "tests/unit/commands/test_db.py runs it",
    "framesweep bench": "takes minutes; tests/unit/bench runs its parts",
    "hydra.sweep.dir=": "tests/e2e/test_grids.py continues a grid",
    "hydra/launcher=ray": "tests/e2e/test_ray.py runs it",
    "hydra/launcher=submitit_slurm": "tests/e2e/test_slurm.py runs it",
    "tracking.also=": "tests/unit/tracking/mirrors runs both mirrors, offline",
    "mlflow models serve": "tests/integration/test_model_server.py runs it",
    "mlflow server": "tests/e2e/test_postgres.py runs it",
    "postgresql+psycopg": "tests/e2e/test_postgres.py runs it",
    "sbatch": "needs a Slurm cluster",
    "systemd-run": "needs systemd",
    "torchrun": "tests/e2e/test_ranks.py runs it",
    "hydra.sweeper.constraints": "slow networks violate them; test_constraints.py has others",
    "data.share=": "tests/unit/training/test_loop.py trains on growing shares",
    "n_jobs=auto": "test_local_pool.py starts workers on GPUs that do not exist",
    "/content/": "Colab's folders",
    "/kaggle/": "Kaggle's folders",
    "pip install": "would change this environment",
}
"""Parts of commands that are checked but not run here, and why."""

MAKE = [command for command in COMMANDS if command.name == "make"]
CHECKED = [c for c in COMMANDS if c.name not in {*UNCHECKED, "make", "pre-commit"}]
IN_README = {c.text for c in COMMANDS if c.document == "README.md"}
"""Commands that test_readme.py runs."""

RUN = [
    c
    for c in CHECKED
    if c.text not in IN_README and not any(part in c.text for part in PARSED_ONLY)
]
LABEL = list(dict.fromkeys(c.text for c in RUN if c.text.startswith("framesweep label")))
AFTER_RUN = list(
    dict.fromkeys(c.text for c in RUN if "RUN_ID" in c.text and c.text not in LABEL)
)
AFTER_SEARCH = list(dict.fromkeys(c.text for c in RUN if "STUDY" in c.text))
ALONE = list(
    dict.fromkeys(c.text for c in RUN if c.text not in {*AFTER_RUN, *AFTER_SEARCH, *LABEL})
)


@pytest.fixture(scope="module")
def folders_root(tmp_path_factory) -> Path:
    lengths = {"train": (300, 200), "dev": (150, 100), "test": (80, 40)}
    return write_folders(tmp_path_factory.mktemp("folders"), ToyCorpus(lengths))


@pytest.mark.parametrize("command", CHECKED, ids=str)
def test_commands_name_what_exists(command: Command):
    documents.check(command.words)


@pytest.mark.parametrize("command", MAKE, ids=str)
def test_make_targets_exist(command: Command):
    done = subprocess.run(
        [*command.words, "--dry-run"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_exception_is_stale():
    texts = [command.text for command in COMMANDS]
    names = {command.name for command in COMMANDS}
    assert [name for name in UNCHECKED if name not in names] == []
    assert [part for part in PARSED_ONLY if not any(part in text for text in texts)] == []


def test_a_wrong_command_is_noticed():
    for text, error in (
        ("python train.py data.contxt=5", "contxt"),
        ("python train.py -m sweep=optuna model.widht=choice(1,2)", "widht"),
        ("python train.py recipe=fast", "fast"),
        ("framesweep predict RUN_ID --splt test", "--splt"),
    ):
        with pytest.raises(Exception, match=error):
            documents.check(Command("", text).words)


@pytest.mark.heavy
@pytest.mark.parametrize("command", ALONE)
def test_documented_commands_run(
    tracked_shell, placed: Callable[[str], str], folders_root: Path, command: str
):
    shell = tracked_shell
    command = command.replace("/path/to/hw1p2_folders", str(folders_root))
    if command.startswith("python train.py"):
        run_training(shell, placed(command))
    else:
        shell.framesweep(*Command("", placed(command)).words[1:])


@pytest.mark.heavy
def test_documented_commands_run_on_a_trained_run(shell):
    assert AFTER_RUN
    after_run(shell, AFTER_RUN)


def test_documented_commands_label_recordings(tmp_path, monkeypatch):
    assert LABEL
    monkeypatch.chdir(tmp_path)
    label_recordings(tmp_path, LABEL)


@pytest.mark.heavy
def test_documented_commands_run_on_a_finished_search(shell):
    assert AFTER_SEARCH
    after_search(shell, AFTER_SEARCH)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_of_the_project(document: str):
    lost = []
    for link in links_of(document):
        target = link.partition("#")[0]
        if target.startswith(PROJECT["urls"]["Repository"]) or "githubusercontent" in target:
            target = target.partition("/main/")[2]
        elif target.startswith(("https://", "http://")) or not target:
            continue
        else:
            path = (REPOSITORY / document).parent / target
            target = path.resolve().relative_to(REPOSITORY).as_posix()
        if target and not (REPOSITORY / target).exists():
            lost.append(link)
    assert lost == []


def test_links_of_the_readme_work_outside_the_repository():
    home = PROJECT["urls"]["Repository"]
    pictures = home.replace("github.com", "raw.githubusercontent.com")
    links = links_of("README.md")
    assert links
    assert [link for link in links if not link.startswith((home, pictures))] == []


def test_versions_agree():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    assert released[0] == "Unreleased"
    assert released[1] == __version__


def test_each_commit_and_each_push_run_the_same_checks():
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    assert [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]] == [
        "make check"
    ]
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/tests.yml").read_text())
    steps = workflow["jobs"]["tests"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert "make check" in (REPOSITORY / ".ci" / "run").read_text().splitlines()
