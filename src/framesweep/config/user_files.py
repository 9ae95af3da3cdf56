"""The user's own config files: finding the one that an error is about, and what is wrong there.

Hydra names such a file by its group and option, as experiment/mine, or not at all.
"""

import codecs
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import yaml

from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError

FOLDER_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")
"""Flags of Hydra that name a folder with config files."""

ENCODINGS = (
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""How files in encodings with a mark of their own begin."""

RUN_CONFIG = re.compile(r"(# checksum: |schemas:$)", re.MULTILINE)
"""What the config file of a run contains, and no other config file."""


def config_folders(arguments: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield each flag of a command line that names a folder of configs, and the folder."""
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag not in FOLDER_FLAGS:
            continue
        if equals:
            yield flag, Path(value)
        elif index + 1 < len(arguments):
            yield flag, Path(arguments[index + 1])


def require_text(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an argument with bytes that are no text in the user's locale.

    Neither MLflow nor a file of the run could record it.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError:
            fix = "Rename it, or choose a locale for UTF-8, as LC_ALL=C.UTF-8 does."
            raise ConfigError(key, "must be UTF-8 text", found=value, fix=fix) from None


def require_no_run_folders(arguments: Sequence[str]) -> None:
    """Raise ConfigError if the command line names the directory of a run as a config folder."""
    for flag, folder in config_folders(arguments):
        path = folder / "config.yaml"
        if path.is_file() and RUN_CONFIG.search(path.read_text("utf-8", errors="replace")):
            raise ConfigError(
                flag,
                "must be a folder of config files, not the directory of a run",
                found=str(folder),
                fix=f"Type resume={folder} to resume the run, or framesweep reproduce {folder} "
                "to train it again.",
            )


def locate(name: str, arguments: Sequence[str]) -> Path:
    """Return the path of a file that Hydra names by group and option, as experiment/mine."""
    folders = [folder for _, folder in config_folders(arguments)]
    candidates = [folder / f"{name}.yaml" for folder in (*folders, find_conf())]
    return next((path for path in candidates if path.is_file()), Path(f"{name}.yaml"))


def describe_undecodable(arguments: Sequence[str]) -> str | None:
    """Return which config file of the user is not in UTF-8, and where; None if all are."""
    for path in [*_chosen_files(arguments), *_all_files(arguments)]:
        data = path.read_bytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            marks = [name for mark, name in ENCODINGS if data.startswith(mark)]
            found = marks[0] if marks else f"the byte {data[error.start]:#x}"
            return f"{path}, line {line}: must be saved in UTF-8; found {found}"
    return None


def find_choice(group: str, option: str, arguments: Sequence[str]) -> Path | None:
    """Return the file that chooses an option in its defaults, or None if none does."""
    entry = rf"^\s*- .*\b{re.escape(group)}(@\S+)?: {re.escape(option)}\s*$"
    for path in [*_chosen_files(arguments), *_all_files(arguments)]:
        if re.search(entry, path.read_text("utf-8", errors="replace"), re.MULTILINE):
            return path
    return None


def _chosen_files(arguments: Sequence[str]) -> Iterator[Path]:
    """Yield the files that the command line chooses by `group=option`."""
    for argument in arguments:
        group, equals, option = argument.lstrip("+").partition("=")
        path = locate(f"{group}/{option}", arguments)
        if equals and path.is_file():
            yield path


def _all_files(arguments: Sequence[str]) -> Iterator[Path]:
    for _, folder in config_folders(arguments):
        yield from (path for path in sorted(folder.rglob("*.yaml")) if path.is_file())


def describe_missing_package(key: str, arguments: Sequence[str]) -> str | None:
    """Return which file lacks the line `# @package _global_`; None if none does.

    Without it, the keys of `experiment/mine.yaml` are those of a group `experiment`, which the
    schema does not have.
    """
    for argument in arguments:
        group, equals, option = argument.lstrip("+").partition("=")
        path = locate(f"{group}/{option}", arguments)
        if group != key or not equals or not path.is_file():
            continue
        fix = " The file begins with a byte-order mark: save it as UTF-8 without one."
        has_mark = path.read_bytes().startswith(codecs.BOM_UTF8)
        return (
            f"{path}: must begin with the line '# @package _global_', or its keys are those of "
            f"a group {key}, which does not exist.{fix if has_mark else ''}"
        )
    return None


def describe_container(path: Path, keys: Collection[str]) -> str | None:
    """Return which key of a file should be a mapping but is not, or None."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    groups = {key.rpartition(".")[0] for key in keys} - {""}
    entries = {"": content, **(content if isinstance(content, dict) else {})}
    for key, value in entries.items():
        if (key == "" or key in groups) and not isinstance(value, dict):
            what = f"{key}: " if key else ""
            example = key or "train"
            return (
                f"{path}: {what}must be a mapping of keys to values, such as "
                f"'{example}: {{key: value}}'; found {value!r}"
            )
    return None
