"""Which study a command means: its name, and whether it searches the same thing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace

SEARCH_SPACE = "search_space"
FIXED = "fixed_overrides"
LONGEST_NAME = 80
ABSENT = "-"


@dataclass(frozen=True)
class StudyIdentity:
    """What must stay as it is in the life of a study.

    Attributes:
        space: each searched key with its sweep and conditions.
        fixed: each override that all trials share.
        directions: minimize or maximize, one an objective.
        free: groups and keys whose overrides may differ from call to call.
    """

    space: dict[str, str]
    fixed: dict[str, str]
    directions: tuple[str, ...]
    free: tuple[str, ...] = ()

    def differences(self, study: "StudyIdentity") -> list[tuple[str, str, str]]:
        """(key, in the study, now) of everything in which `self` contradicts `study`.

        A study may have stored an override that has become free since; it does not count.
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
    """The identity of a command; overrides of the groups and keys in `free` are left out."""
    described = space.describe()
    fixed = {key: value for key, value in space.fixed.items() if not _is_free(key, free)}
    fixed |= {line: "deleted" for line in space.deletions if not _is_free(line, free)}
    return StudyIdentity(described, fixed, tuple(directions), tuple(free))


def _is_free(key: str, free: Sequence[str]) -> bool:
    bare = key.lstrip("+~").partition("@")[0].partition("=")[0]
    return any(bare == prefix or bare.startswith(f"{prefix}.") for prefix in free)


def derive_name(space: SearchSpace) -> str:
    """A name from what is searched, as `context-dropout-width`."""
    keys = sorted(d.key.lstrip("+").partition("@")[0] for d in space.searched)
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
    """The name of the study that a command continues or begins.

    A derived name belongs to the family name, name-2, name-3, ...: the latest one that
    searches the same is continued.

    Raises:
        SweepError: there are such studies, but all search something else.
    """
    family = _family(storage, given or derived)
    if new:
        return _next_name(given or derived, family)
    candidates = [given] if given else list(reversed(family))
    existing = [name for name in candidates if name in family]
    for name in existing:
        if not identity.differences(read_identity(storage, name) or identity):
            return name
    if existing:
        stored = read_identity(storage, existing[0])
        raise SweepError(_contradiction(existing[0], identity.differences(stored or identity)))
    return given or derived


def _family(storage: BaseStorage, base: str) -> list[str]:
    """Existing studies called base, base-2, base-3, ... in that order."""
    names = set(optuna.get_all_study_names(storage))
    family = [base] if base in names else []
    numbered = [n for n in names if n.startswith(f"{base}-") and n[len(base) + 1 :].isdigit()]
    return family + sorted(numbered, key=lambda n: int(n[len(base) + 1 :]))


def _next_name(base: str, family: list[str]) -> str:
    taken = [int(name[len(base) + 1 :] or 1) for name in family]
    return f"{base}-{max(taken) + 1}" if taken else base


def read_identity(storage: BaseStorage, name: str) -> StudyIdentity | None:
    """The identity a study was begun with; None where nothing has been kept."""
    study_id = storage.get_study_id_from_name(name)
    attrs = storage.get_study_user_attrs(study_id)
    if SEARCH_SPACE not in attrs:
        return None
    directions = tuple(d.name.lower() for d in storage.get_study_directions(study_id))
    return StudyIdentity(attrs[SEARCH_SPACE], attrs[FIXED], directions)


def create_study_if_missing(storage: BaseStorage, name: str, identity: StudyIdentity) -> int:
    """The id of the study `name`, made with `identity` where it does not exist."""
    directions = [StudyDirection[d.upper()] for d in identity.directions]
    study = optuna.create_study(
        storage=storage, study_name=name, directions=directions, load_if_exists=True
    )
    if SEARCH_SPACE not in study.user_attrs:
        study.set_user_attr(SEARCH_SPACE, identity.space)
        study.set_user_attr(FIXED, identity.fixed)
    return storage.get_study_id_from_name(name)


def _contradiction(name: str, rows: list[tuple[str, str, str]]) -> str:
    wide = [max(len(row[i]) for row in [*rows, ("", "in the study", "")]) for i in (0, 1)]
    lines = [f"study {name}: was begun with another search; nothing was changed"]
    lines.append(f"  {'':{wide[0]}}  {'in the study':{wide[1]}}  now")
    lines += [f"  {key:{wide[0]}}  {old:{wide[1]}}  {new}" for key, old, new in rows]
    return "\n".join(lines)
