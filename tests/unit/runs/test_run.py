"""Resuming a run with other values than it began with."""

from pathlib import Path

import pytest

from configs import compose
from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.errors import ConfigError, DataError
from framesweep.runs import run as module
from framesweep.runs.run import resume

register()


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The configs with which training would go on."""
    configs: list[RunConfig] = []

    def train(config: RunConfig, directory: Path) -> float:
        configs.append(config)
        return 0.0

    monkeypatch.setattr(module, "run", train)
    return configs


def start(directory: Path, *overrides: str) -> str:
    text = dump(compose(["data=segments", "data.root=/corpus", *overrides]))
    (directory / CONFIG_FILE).write_text(text, encoding="utf-8")
    return str(directory)


@pytest.mark.parametrize(
    "override",
    [
        *("train.epochs=9", "train.patience=2", "train.max_minutes=1", "train.smooth=false"),
        *("train.checkpoint_minutes=1", "hardware.device=cpu", "tracking.uri=http://host"),
        *("tracking.tags.author=me", "data.root=/elsewhere", "data.workers=2"),
        *("outputs=/elsewhere", "sweep.retries=3"),
    ],
)
def test_a_run_is_resumed_with(override: str, resumed: list[RunConfig], tmp_path: Path):
    resume(start(tmp_path, "optim=adam"), [override], None, tmp_path)
    assert len(resumed) == 1


@pytest.mark.parametrize(
    "override", ["data.context=5", "seed=1", "objective=dev/loss", "train.batch_size=64"]
)
def test_a_run_is_not_resumed_with(override: str, resumed: list[RunConfig], tmp_path: Path):
    with pytest.raises(ConfigError, match=rf"^{override.partition('=')[0]}: cannot change"):
        resume(start(tmp_path), [override], None, tmp_path)
    assert not resumed


@pytest.mark.parametrize(
    "override", ["train.batch_size=2048", "data.phones=phones.txt", "optim.lr=4e-3"]
)
def test_a_value_that_the_run_has_already_is_no_change(
    override: str, resumed: list[RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    phones = f"data.phones={tmp_path / 'phones.txt'}"
    resume(start(tmp_path, phones, "optim.lr=0.004"), [override], None, tmp_path)
    assert len(resumed) == 1


def test_a_run_is_not_resumed_with_other_numbers_of_its_phones(resumed, tmp_path: Path):
    config = compose(["data=hw1p2_folders", "data.root=/corpus"])
    (tmp_path / CONFIG_FILE).write_text(dump(config), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^data\.phone_order: cannot change"):
        resume(str(tmp_path), ["data.phone_order=alphabetical"], None, tmp_path)
    assert not resumed


def test_a_resumed_run_whose_data_has_moved_names_the_key(tmp_path: Path):
    config = compose(["data=hw1p2", f"data.root={tmp_path}/moved", "tracking=none"])
    (tmp_path / CONFIG_FILE).write_text(dump(config), encoding="utf-8")
    with pytest.raises(DataError, match=r"^data\.root: must .* add data\.root=FOLDER\.$"):
        resume(str(tmp_path), [], None, tmp_path)


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_a_run_is_not_resumed_by_a_sweep(flag: str, resumed: list[RunConfig], tmp_path: Path):
    directory = start(tmp_path)
    with pytest.raises(ConfigError, match=r"^resume: must not be part of a sweep; .* resume="):
        resume(directory, [flag, "train.epochs=9"], None, tmp_path)
    assert not resumed


def test_epochs_stay_as_they_are_where_the_schedule_depends_on_them(resumed, tmp_path: Path):
    directory = start(tmp_path, "optim.schedule=cosine")
    with pytest.raises(ConfigError, match=r"^train\.epochs: cannot change"):
        resume(directory, ["train.epochs=9"], None, tmp_path)
    resume(directory, ["train.patience=2"], None, tmp_path)
    assert len(resumed) == 1
