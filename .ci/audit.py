"""Look for known vulnerabilities in the pinned dependencies, and say what was looked at.

python .ci/audit.py constraints.txt                    asks the package index, by pip-audit
python .ci/audit.py constraints.txt --osv all.zip      reads a copy of the OSV database

The copy is the archive of advisories for PyPI that https://osv.dev offers for download, so that
a machine without a network can be audited too. Exit codes: 0 if nothing was found, 1 if a
dependency is vulnerable, 3 if nothing was audited.
"""

import argparse
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

VULNERABLE, NOT_AUDITED = 1, 3


class Audit(NamedTuple):
    """What is known of the pinned dependencies.

    Attributes:
        found: The identifiers of the advisories on each vulnerable dependency.
        unknown: The dependencies that the database does not know, or that were not looked up.
    """

    found: dict[str, list[str]]
    unknown: list[str]


def read_pins(path: Path) -> dict[str, Version]:
    """Return the version of each dependency that the file pins, by normalized name."""
    pins: dict[str, Version] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            requirement = Requirement(text)
            (specifier,) = requirement.specifier
            pins[canonicalize_name(requirement.name)] = Version(specifier.version)
    return pins


def audit_by_index(path: Path) -> Audit:
    """Ask the package index by pip-audit, which leaves out what the index does not answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(path), "--no-deps"]
    options = ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.stderr.write(done.stderr)
        return Audit({}, sorted(read_pins(path)))
    dependencies = json.loads(done.stdout)["dependencies"]
    found = {
        d["name"]: [vulnerability["id"] for vulnerability in d["vulns"]]
        for d in dependencies
        if d.get("vulns")
    }
    return Audit(found, [d["name"] for d in dependencies if "skip_reason" in d])


def audit_by_copy(pins: dict[str, Version], archive: Path) -> Audit:
    """Compare the pins with each advisory in a copy of the OSV database.

    The database holds advisories only, so a dependency without one is either safe or unknown.
    All of them count as looked up, unless the copy holds no advisories at all.
    """
    found: dict[str, list[str]] = {}
    num_advisories = 0
    for advisory in read_advisories(archive):
        num_advisories += 1
        for affected in advisory.get("affected", []):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            is_here = package.get("ecosystem") == "PyPI" and name in pins
            if is_here and is_affected(pins[name], affected):
                found.setdefault(name, []).append(advisory["id"])
    unique = {name: sorted(set(ids)) for name, ids in found.items()}
    return Audit(unique, [] if num_advisories else sorted(pins))


def read_advisories(archive: Path) -> Iterator[dict[str, Any]]:
    """Yield the advisories in an archive that have not been withdrawn."""
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if name.endswith(".json"):
                advisory = json.loads(files.read(name))
                if "withdrawn" not in advisory:
                    yield advisory


def is_affected(version: Version, affected: dict[str, Any]) -> bool:
    """Return whether a version is one of those that an advisory lists, or in its ranges.

    See "affected[].ranges[].events" in the OSV schema, https://ossf.github.io/osv-schema/.
    """
    if any(parse(text) == version for text in affected.get("versions", [])):
        return True
    ranges = [r for r in affected.get("ranges", []) if r.get("type") == "ECOSYSTEM"]
    return any(in_range(version, r.get("events", [])) for r in ranges)


def in_range(version: Version, events: list[dict[str, str]]) -> bool:
    """Return whether the last event up to `version` began, rather than ended, a range."""
    is_inside = False
    steps = [
        (bound, kind)
        for event in events
        for kind, text in event.items()
        if (bound := parse(text)) is not None
    ]
    for bound, kind in sorted(steps):
        if kind == "introduced" and bound <= version:
            is_inside = True
        elif (kind == "fixed" and bound <= version) or (
            kind == "last_affected" and bound < version
        ):
            is_inside = False
    return is_inside


def parse(text: str) -> Version | None:
    """Return a version, or None for a text that is none."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def main() -> int:
    """Print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("constraints", type=Path)
    parser.add_argument("--osv", type=Path, help="archive of advisories from osv.dev")
    arguments = parser.parse_args()
    pins = read_pins(arguments.constraints)
    if arguments.osv is None:
        audit = audit_by_index(arguments.constraints)
    else:
        audit = audit_by_copy(pins, arguments.osv)
    num_audited = len(pins) - len(audit.unknown)
    if num_audited == 0:
        print(f"Nothing was audited: none of {len(pins)} dependencies could be looked up.")
        print("Without a network, pass a copy of the database: make audit OSV=all.zip")
        return NOT_AUDITED
    for name, identifiers in sorted(audit.found.items()):
        print(f"{name} {pins[canonicalize_name(name)]}: {', '.join(identifiers)}")
    if audit.unknown:
        print(f"Not known to the database: {', '.join(sorted(audit.unknown))}")
    print(f"Audited {num_audited} of {len(pins)} dependencies; {len(audit.found)} vulnerable.")
    return VULNERABLE if audit.found else 0


if __name__ == "__main__":
    sys.exit(main())
