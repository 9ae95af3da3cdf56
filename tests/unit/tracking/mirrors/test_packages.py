"""A mirror whose package is missing is an error before anything is trained."""

from pathlib import Path

import pytest

from framesweep.config.run import MIRROR_NAMES
from framesweep.errors import ConfigError
from framesweep.tracking.mirrors import packages
from framesweep.tracking.mirrors.packages import MIRRORS, require_packages


def test_a_missing_package_is_one_line_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    require_packages([])
    with pytest.raises(ConfigError) as raised:
        require_packages(["wandb"])
    assert str(raised.value) == (
        "tracking.also: must name packages that are installed; wandb is not. "
        "pip install 'framesweep[wandb]'"
    )


def test_a_folder_of_the_same_name_is_no_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "w_and_b").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="w_and_b is not"):
        require_packages(["w_and_b"])
    (tmp_path / "w_and_b" / "__init__.py").touch()
    packages.importlib.invalidate_caches()
    require_packages(["w_and_b"])


def test_the_config_accepts_the_mirrors_that_exist() -> None:
    assert set(MIRRORS) == set(MIRROR_NAMES)
