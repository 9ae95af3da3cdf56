"""The hashes of the pinned dependencies, and the bill of materials made of them."""

import importlib.util
import json
import re

import pytest
from packaging.utils import canonicalize_name

from documents import REPOSITORY

REPORT = {
    "environment": {
        "python_version": "3.11",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
    },
    "install": [
        {
            "download_info": {"archive_info": {"hashes": {"sha256": letter * 64}}},
            "metadata": {"name": name, "version": "1.0", **license},
        }
        for name, letter, license in (
            ("Some.Thing", "a", {}),
            ("other", "b", {"license_expression": "MIT"}),
        )
    ],
}


@pytest.fixture(scope="module")
def lock():
    spec = importlib.util.spec_from_file_location("lock", REPOSITORY / ".ci" / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def written(lock, tmp_path, monkeypatch):
    """Returns the hashes and the bill of materials that are written for `REPORT`."""
    report, hashes, sbom = (tmp_path / n for n in ("report.json", "hashes.txt", "sbom.json"))
    report.write_text(json.dumps(REPORT))
    monkeypatch.setattr("sys.argv", ["lock.py", str(report), str(hashes), str(sbom)])
    lock.main()
    return hashes.read_text(), json.loads(sbom.read_text())


def test_each_package_has_the_hash_of_the_file_that_pip_chose(written):
    header, *lines = written[0].splitlines()
    assert "Python 3.11 on linux x86_64" in header
    assert lines == [
        f"other==1.0 --hash=sha256:{'b' * 64}",
        f"some-thing==1.0 --hash=sha256:{'a' * 64}",
    ]


def test_the_bill_of_materials_names_each_package_with_its_url_hash_and_license(written):
    sbom = written[1]
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    other, some = sbom["components"]
    assert other["licenses"] == [{"expression": "MIT"}]
    assert some == {
        "type": "library",
        "bom-ref": "pkg:pypi/some-thing@1.0",
        "name": "some-thing",
        "version": "1.0",
        "purl": "pkg:pypi/some-thing@1.0",
        "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
    }


def test_a_dependency_that_is_not_pinned_is_named_and_nothing_is_written(
    lock, tmp_path, monkeypatch
):
    """With hashes, pip would not install it, and what needs it could not be imported."""
    report = json.loads(json.dumps(REPORT))
    some, other = (entry["metadata"] for entry in report["install"])
    some["requires_dist"] = [
        "Other[fast]>=0.9",
        "on-windows; sys_platform == 'win32'",
        "only-for-tests; extra == 'test'",
    ]
    other["requires_dist"] = ["speed.up; extra == 'fast'", "never; extra == 'slow'"]
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    monkeypatch.setattr("sys.argv", ["lock.py", str(path), str(tmp_path / "hashes.txt")])
    with pytest.raises(SystemExit, match=r"constraints\.txt: must pin speed-up \(for other\)$"):
        lock.main()
    assert not (tmp_path / "hashes.txt").exists()


def test_the_hashes_are_those_of_the_pinned_versions():
    """A version that is pinned anew needs `make lock`."""
    found = re.findall(
        r"^(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}$",
        (REPOSITORY / "hashes.txt").read_text(),
        re.MULTILINE,
    )
    pins = dict(
        line.split("==")
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    assert len(found) > 100
    # Torch's build for CPUs is the version 2.13.0+cpu of the pin 2.13.0.
    public = {name: version.partition("+")[0] for name, version in found}
    assert {name: pinned.get(name) for name in public} == public
