"""Which study a command belongs to: its name, and whether it searches the same thing."""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection

from hydra_plugins.framesweep_sweeper._credentials import hide_all_users
from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, strip_affixes

SEARCH_SPACE = "search_space"
FIXED = "fixed_overrides"
"""User attributes of a study that keep its identity."""
CONSTRAINTS_KEY = "hydra.sweeper.constraints"
"""Key of the constraints among the fixed overrides, if the study has any."""

EXTENDS = "extends"
"""User attribute of a study that was begun with `extend`: the study before it, and the changes,
as rows of key, value there, and value here."""

LONGEST_NAME = 80
ABSENT = "-"


@dataclass(frozen=True)
class StudyIdentity:
    """What must stay the same as long as a study is resumed.

    Results of different search spaces, fixed values or directions cannot be compared, and a
    sampler that learned from one would mislead the other.

    Attributes:
        space: each searched key with its sweep and conditions.
        fixed: each override that all trials share, except the free ones.
        directions: minimize or maximize, one per objective.
        free: groups and keys whose overrides may change when the study is resumed. They are not
            stored with the study: what is free is for the application's current version to say.
    """

    space: dict[str, str]
    fixed: dict[str, str]
    directions: tuple[str, ...]
    free: tuple[str, ...] = ()

    def list_differences(self, study: "StudyIdentity") -> list[tuple[str, str, str]]:
        """Return (key, value in the study, value now) for each difference to `study`.

        An override that the study stored but that has become free since does not count.
        """
        fixed = {k: v for k, v in study.fixed.items() if not _is_free(k, self.free)}
        theirs = {**study.space, **fixed}
        ours = {**self.space, **self.fixed}
        rows = [
            (key, theirs.get(key, ABSENT), ours.get(key, ABSENT))
            for key in sorted(theirs.keys() | ours.keys())
            if theirs.get(key) != ours.get(key)
        ]
        if study.directions != self.directions:
            rows.append(("direction", ", ".join(study.directions), ", ".join(self.directions)))
        return rows


def build_identity(space: SearchSpace, directions: list[str], free: list[str]) -> StudyIdentity:
    """Return the identity of a command.

    Args:
        space: the search space of the command.
        directions: minimize or maximize, one per objective.
        free: groups and keys whose overrides are left out, because they change no result.
    """
    described = space.describe()
    fixed = {
        key: hide_all_users(value)
        for key, value in space.fixed.items()
        if not _is_free(key, free)
    }
    fixed |= {line: "deleted" for line in space.deletions if not _is_free(line, free)}
    return StudyIdentity(described, fixed, tuple(directions), tuple(free))


def _is_free(key: str, free: Sequence[str]) -> bool:
    bare = key.lstrip("+~").partition("@")[0].partition("=")[0]
    return any(bare == prefix or bare.startswith(f"{prefix}.") for prefix in free)


def parse_fixed(study: Study) -> dict[str, Any]:
    """Return the values that all trials of a study share, by key."""
    values = {}
    parser = OverridesParser.create()
    for key, text in study.user_attrs.get(FIXED, {}).items():
        if key.startswith("~"):
            continue
        with contextlib.suppress(HydraException):  # constraints, which are no override
            values[strip_affixes(key)] = parser.parse_override(f"{key}={text}").value()
    return values


def derive_name(space: SearchSpace) -> str:
    """Return a name made of the searched keys, such as `context-dropout-width`."""
    keys = sorted(strip_affixes(d.key) for d in space.searched)
    short = [key.rpartition(".")[2].rpartition("/")[2] for key in keys]
    parts = short if len(set(short)) == len(short) else [k.replace("/", ".") for k in keys]
    name = "-".join(parts) or "study"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}-{digest}"


def choose_name(
    storage: BaseStorage, identity: StudyIdentity, given: str | None, derived: str, new: bool
) -> str:
    """Return the name of the study that a command resumes or creates.

    A derived name stands for the studies name, name-2, name-3 and so on. The latest of them
    that searches the same thing is resumed. A given name stands for one study only.

    Args:
        storage: the storage of the studies.
        identity: the identity of the command.
        given: `hydra.sweeper.study_name`, or None.
        derived: the name to use if none is given.
        new: whether to create a study even if there is one that could be resumed.

    Raises:
        SweepError: there are studies of that name, but they search something else.
    """
    numbered = _list_numbered_names(storage, given or derived)
    if new:
        return _choose_next_name(given or derived, numbered)
    if (resumed := find_study(storage, identity, given, derived)) is not None:
        return resumed
    if existing := _list_candidates(numbered, given):
        stored = read_identity(storage, existing[0]) or identity
        raise SweepError(_describe_differences(existing[0], identity.list_differences(stored)))
    return given or derived


def find_study(
    storage: BaseStorage, identity: StudyIdentity, given: str | None, derived: str
) -> str | None:
    """Return the name of the study that `choose_name` would resume; None if there is none."""
    for name in _list_candidates(_list_numbered_names(storage, given or derived), given):
        # Without a stored identity, for example in a study that Optuna made, nothing differs.
        if not identity.list_differences(read_identity(storage, name) or identity):
            return name
    return None


def choose_extension(
    storage: BaseStorage, identity: StudyIdentity, base: str
) -> tuple[str, str | None]:
    """Return the name of the study that searches `identity`, and of the one that it extends.

    Of the studies base, base-2, base-3 and so on, the latest that searches the same thing is
    continued. If there is none, the next name extends the latest of them.

    Raises:
        SweepError: the latest of them has other directions.
    """
    numbered = _list_numbered_names(storage, base)
    for name in reversed(numbered):
        if not identity.list_differences(read_identity(storage, name) or identity):
            return name, None
    if not numbered:
        return base, None
    stored = read_identity(storage, numbered[-1])
    if stored is not None and stored.directions != identity.directions:
        raise SweepError(
            f"study {numbered[-1]}: must have the same objectives to be extended; found "
            f"{', '.join(stored.directions)} there, {', '.join(identity.directions)} now"
        )
    return _choose_next_name(base, numbered), numbered[-1]


def record_extension(storage: BaseStorage, name: str, earlier: str) -> None:
    """Record in the study `name` which study it extends, and what is different."""
    ours, theirs = read_identity(storage, name), read_identity(storage, earlier)
    changes = ours.list_differences(theirs) if ours is not None and theirs is not None else []
    study_id = storage.get_study_id_from_name(name)
    storage.set_study_user_attr(study_id, EXTENDS, {"study": earlier, "changes": changes})


def _list_candidates(numbered: list[str], given: str | None) -> list[str]:
    return [name for name in reversed(numbered) if given in (None, name)]


def _list_numbered_names(storage: BaseStorage, base: str) -> list[str]:
    """Return the existing studies called base, base-2, base-3 and so on, in that order."""
    names = set(optuna.get_all_study_names(storage))
    plain = [base] if base in names else []
    numbered = [n for n in names if n.startswith(f"{base}-") and n[len(base) + 1 :].isdigit()]
    return plain + sorted(numbered, key=lambda n: int(n[len(base) + 1 :]))


def _choose_next_name(base: str, numbered: list[str]) -> str:
    taken = [int(name[len(base) + 1 :] or 1) for name in numbered]
    return f"{base}-{max(taken) + 1}" if taken else base


def read_identity(storage: BaseStorage, name: str) -> StudyIdentity | None:
    """Return the identity that a study was created with, or None if none was stored."""
    study_id = storage.get_study_id_from_name(name)
    attrs = storage.get_study_user_attrs(study_id)
    if SEARCH_SPACE not in attrs:
        return None
    directions = tuple(d.name.lower() for d in storage.get_study_directions(study_id))
    # Earlier versions stored values with their credentials, or without the users of databases.
    fixed = {key: hide_all_users(value) for key, value in attrs[FIXED].items()}
    return StudyIdentity(attrs[SEARCH_SPACE], fixed, directions)


def create_study_if_missing(storage: BaseStorage, name: str, identity: StudyIdentity) -> int:
    """Create the study `name` with `identity` unless it exists, and return its id."""
    directions = [StudyDirection[d.upper()] for d in identity.directions]
    study = optuna.create_study(
        storage=storage, study_name=name, directions=directions, load_if_exists=True
    )
    if SEARCH_SPACE not in study.user_attrs:
        study.set_user_attr(SEARCH_SPACE, identity.space)
        study.set_user_attr(FIXED, identity.fixed)
    return storage.get_study_id_from_name(name)


def _describe_differences(name: str, rows: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[i]) for row in [*rows, ("", "in the study", "")]) for i in (0, 1)]
    lines = [f"study {name}: must search what it was created with; nothing was changed. Found:"]
    lines.append(f"  {'':{widths[0]}}  {'in the study':{widths[1]}}  now")
    lines += [f"  {key:{widths[0]}}  {old:{widths[1]}}  {new}" for key, old, new in rows]
    return "\n".join(lines)


def list_extended(study: Study) -> list[Study]:
    """Return the studies that a study extends, the latest first, as far as they still exist."""
    storage, found = study._storage, []
    while record := study.user_attrs.get(EXTENDS):
        if record["study"] not in optuna.get_all_study_names(storage):
            break
        study = optuna.load_study(study_name=record["study"], storage=storage)
        found.append(study)
    return found
