"""A study never runs in the folder of another one."""

import optuna
import pytest
from optuna.trial import create_trial

from framesweep.errors import ConfigError
from framesweep.sweeps.study_folder import claim_folder, require_folder_name


def test_a_claimed_folder_belongs_to_one_study(tmp_path):
    study = optuna.create_study()
    claim_folder(study, tmp_path)
    (tmp_path / "0").mkdir()
    claim_folder(study, tmp_path)
    assert (tmp_path / ".study").read_text() == study.user_attrs["uid"]
    with pytest.raises(
        ConfigError, match=r"hydra.sweep.dir: must not be the folder of another"
    ):
        claim_folder(optuna.create_study(), tmp_path)


def test_an_unmarked_folder_belongs_to_the_study_that_has_trials(tmp_path):
    (tmp_path / "0").mkdir()
    study = optuna.create_study()
    with pytest.raises(ConfigError):
        claim_folder(study, tmp_path)
    study.add_trial(create_trial(value=1.0))
    claim_folder(study, tmp_path)
    claim_folder(study, tmp_path)
    other = optuna.create_study()
    other.add_trial(create_trial(value=1.0))
    with pytest.raises(ConfigError):
        claim_folder(other, tmp_path)


def test_lock_files_and_an_unwritten_mark_do_not_prevent_claiming_a_folder(tmp_path):
    (tmp_path / ".parent.lock").touch()
    study = optuna.create_study()
    study.set_user_attr("uid", "abc")
    claim_folder(study, tmp_path)
    assert (tmp_path / ".study").read_text() == "abc"


def test_a_study_may_be_kept_in_its_own_folder(tmp_path):
    """As with hydra.sweeper.storage=null."""
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db")
    (tmp_path / "study.db.claims").touch()
    claim_folder(study, tmp_path)
    assert (tmp_path / ".study").read_text() == study.user_attrs["uid"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "../other", "a\0b", "é" * 101])
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(ConfigError, match=r"study_name: must be the name of a folder"):
        require_folder_name(name)


@pytest.mark.parametrize("name", ["context", "my study", "...", "a.b", "50%", "é"])
def test_any_other_name_is_accepted(name):
    require_folder_name(name)


@pytest.mark.parametrize("name", ["a\\b", "a:b", "what?", "a*", "x|y", "end.", "end "])
def test_windows_refuses_more_names_of_folders(name):
    with pytest.raises(ConfigError, match="must be the name of a folder, without"):
        require_folder_name(name, windows=True)
    require_folder_name(name, windows=False)


def test_windows_allows_other_names():
    require_folder_name("größe 1.5_b-c", windows=True)
