"""`make audit`: what it finds in a copy of the database, and that silence is no pass."""

import importlib.util
import json
import subprocess
import zipfile

import pytest

from documents import REPOSITORY

SCRIPT = REPOSITORY / ".ci" / "audit.py"


@pytest.fixture
def audit(monkeypatch, capsys):
    """Runs the script with arguments; returns its exit code and what it printed."""
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["audit.py", *map(str, arguments)])
        return module.main(), capsys.readouterr().out

    return run


@pytest.fixture
def pins(tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text("# pinned\nAlpha.One==1.5.0\nbeta==2.0  # kept\ngamma==3.0rc1\n")
    return path


def write(path, *advisories):
    with zipfile.ZipFile(path, "w") as archive:
        for number, advisory in enumerate(advisories):
            archive.writestr(f"X-{number}.json", json.dumps({"id": f"X-{number}", **advisory}))
    return path


def affected(name, *events, versions=(), ecosystem="PyPI", kind="ECOSYSTEM"):
    ranges = [{"type": kind, "events": [dict([event]) for event in events]}]
    package = {"ecosystem": ecosystem, "name": name}
    return {"affected": [{"package": package, "ranges": ranges, "versions": list(versions)}]}


@pytest.mark.parametrize(
    ("advisory", "is_vulnerable"),
    [
        (affected("alpha-one", ("introduced", "0"), ("fixed", "1.5.1")), True),
        (affected("alpha-one", ("introduced", "0"), ("fixed", "1.5.0")), False),
        (affected("alpha_one", ("introduced", "0"), ("last_affected", "1.5")), True),
        (affected("alpha-one", ("introduced", "0"), ("last_affected", "1.4")), False),
        (affected("alpha-one", ("introduced", "1.10")), False),
        (affected("alpha-one", ("introduced", "1.2"), ("fixed", "1.10")), True),
        (
            affected(
                "alpha-one",
                *[
                    ("introduced", "0"),
                    ("fixed", "1.0"),
                    ("introduced", "1.4"),
                    ("fixed", "1.6"),
                ],
            ),
            True,
        ),
        (affected("alpha-one", ("introduced", "0"), kind="GIT"), False),
        (affected("alpha-one", versions=["1.4", "1.5"]), True),
        (affected("alpha-one", versions=["1.5.dev1", "not a version"]), False),
        (affected("alpha-one", ("introduced", "0"), ecosystem="npm"), False),
        (affected("gamma", ("introduced", "0"), ("fixed", "3.0")), True),
        (affected("delta", ("introduced", "0")), False),
        ({**affected("beta", ("introduced", "0")), "withdrawn": "2026-01-01"}, False),
    ],
)
def test_a_copy_of_the_database_tells_which_versions_are_vulnerable(
    audit, pins, tmp_path, advisory, is_vulnerable
):
    other = affected("someone-else", ("introduced", "0"))
    code, printed = audit(pins, "--osv", write(tmp_path / "all.zip", advisory, other))
    assert code == (1 if is_vulnerable else 0)
    assert ("X-0" in printed) == is_vulnerable
    number = int(is_vulnerable)
    assert printed.endswith(f"Audited 3 of 3 dependencies; {number} vulnerable.\n")


def test_an_empty_database_is_no_pass(audit, pins, tmp_path):
    code, printed = audit(pins, "--osv", write(tmp_path / "all.zip"))
    assert code == 3
    assert printed.startswith("Nothing was audited: none of 3 dependencies")


def test_every_pinned_dependency_is_looked_up(audit, tmp_path):
    safe = affected("someone-else", ("introduced", "0"))
    pins = REPOSITORY / "constraints.txt"
    code, printed = audit(pins, "--osv", write(tmp_path / "all.zip", safe))
    lines = pins.read_text().splitlines()
    number = len([line for line in lines if "==" in line])
    assert printed == f"Audited {number} of {number} dependencies; 0 vulnerable.\n"
    assert code == 0


def test_what_the_index_does_not_answer_is_not_audited(audit, pins, monkeypatch):
    skipped = [{"name": name, "skip_reason": "not found"} for name in ("alpha-one", "beta")]
    known = {"name": "gamma", "version": "3.0rc1", "vulns": [{"id": "X-7"}]}

    def answers(dependencies):
        text = json.dumps({"dependencies": dependencies})
        done = subprocess.CompletedProcess([], 0, stdout=text, stderr="")
        monkeypatch.setattr("subprocess.run", lambda *_, **__: done)

    answers([*skipped, known])
    code, printed = audit(pins)
    assert code == 1
    assert "gamma 3.0rc1: X-7" in printed
    assert "Not known to the database: alpha-one, beta" in printed
    assert printed.endswith("Audited 1 of 3 dependencies; 1 vulnerable.\n")
    answers([*skipped, {"name": "gamma", "skip_reason": "not found"}])
    code, printed = audit(pins)
    assert code == 3
    assert printed.startswith("Nothing was audited")
