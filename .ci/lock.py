"""Write the hash of each pinned dependency, and a list of them that other tools can read.

    python .ci/lock.py report.json hashes.txt [sbom.json]

`report.json` is pip's installation report on constraints.txt; `make lock` asks pip for it. With
the hashes, pip installs only files that are bit for bit those that were tested:

    python -m pip install --require-hashes --no-deps --requirement hashes.txt

They are a file of their own, because pip refuses hashes in constraints of a project that is
installed from its folder. The list is a software bill of materials in the format of CycloneDX
1.6 (https://cyclonedx.org/docs/1.6/json/).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEADER = "# Written by `make lock`: the files that pip chose for {}.\n"


class Package(NamedTuple):
    """A pinned dependency, and the file that pip chose for it.

    Attributes:
        sha256: the hash of the file.
        license: the license as an SPDX expression; empty if the package names none.
    """

    name: str
    version: str
    sha256: str
    license: str

    @property
    def purl(self) -> str:
        """The package's URL, by which databases of vulnerabilities know it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_report(report: dict[str, Any]) -> list[Package]:
    """Return the packages in a report of pip, by name.

    See https://pip.pypa.io/en/stable/reference/installation-report/.
    """
    packages = []
    for entry in report["install"]:
        metadata = entry["metadata"]
        packages.append(
            Package(
                canonicalize_name(metadata["name"]),
                metadata["version"],
                entry["download_info"]["archive_info"]["hashes"]["sha256"],
                metadata.get("license_expression", ""),
            )
        )
    return sorted(packages)


def find_unpinned(report: dict[str, Any]) -> list[str]:
    """Return what packages in a report need and the report lacks, each with who needs it.

    Hashes exclude everything else, so that pip could not install these packages with them.
    """
    entries = [entry["metadata"] for entry in report["install"]]
    metadata = {canonicalize_name(entry["name"]): entry for entry in entries}
    wanted: dict[str, set[str]] = {name: {""} for name in metadata}
    unpinned = set()
    waiting = [(name, "") for name in metadata]
    while waiting:
        package, extra = waiting.pop()
        for text in metadata[package].get("requires_dist", ()):
            requirement = Requirement(text)
            marker, name = requirement.marker, canonicalize_name(requirement.name)
            environment = {**report["environment"], "extra": extra}
            if marker is not None and not marker.evaluate(environment):
                continue
            if name == "pip":  # It is what installs the others.
                continue
            if name not in metadata:
                unpinned.add(f"{name} (for {package})")
                continue
            new = requirement.extras - wanted[name]
            wanted[name] |= new
            waiting += [(name, one) for one in new]
    return sorted(unpinned)


def describe_platform(report: dict[str, Any]) -> str:
    """Return the Python version and the machine that a report is for."""
    environment = report["environment"]
    machine = f"{environment['sys_platform']} {environment['platform_machine']}"
    return f"Python {environment['python_version']} on {machine}"


def write_hashes(packages: list[Package], platform: str) -> str:
    """Return the text of a file of requirements with hashes."""
    lines = [f"{p.name}=={p.version} --hash=sha256:{p.sha256}\n" for p in packages]
    return HEADER.format(platform) + "".join(lines)


def write_sbom(packages: list[Package]) -> str:
    """Return the text of a bill of materials."""
    components = [
        {
            "type": "library",
            "bom-ref": package.purl,
            "name": package.name,
            "version": package.version,
            "purl": package.purl,
            "hashes": [{"alg": "SHA-256", "content": package.sha256}],
            **({"licenses": [{"expression": package.license}]} if package.license else {}),
        }
        for package in packages
    ]
    sbom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "framesweep"}},
        "components": components,
    }
    return json.dumps(sbom, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("report", type=Path, help="pip's installation report")
    parser.add_argument("hashes", type=Path)
    parser.add_argument("sbom", type=Path, nargs="?")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text(encoding="utf-8"))
    if unpinned := find_unpinned(report):
        sys.exit(f"constraints.txt: must pin {', '.join(unpinned)}")
    packages = read_report(report)
    text = write_hashes(packages, describe_platform(report))
    arguments.hashes.write_text(text, encoding="utf-8")
    if arguments.sbom is not None:
        arguments.sbom.write_text(write_sbom(packages), encoding="utf-8")
    print(f"{arguments.hashes}: {len(packages)} packages with hashes")


if __name__ == "__main__":
    main()
