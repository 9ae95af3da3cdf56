"""Every module in src has its unit tests in the file of the same path and name."""

from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
UNIT = Path(__file__).parent
EXCEPTIONS = UNIT / "without_tests.txt"
ABOUT_THE_WHOLE = {
    *("test_architecture.py", "test_contracts.py", "test_mirror.py"),
    "test_python_interface.py",
}
"""Tests of the source as a whole, which mirror no module."""


def expected_tests() -> dict[Path, Path]:
    """The test file of each module; a leading underscore is dropped from its name."""
    modules = [p.relative_to(SOURCE) for p in sorted(SOURCE.rglob("*.py"))]
    return {
        module: UNIT.joinpath(
            *[part for part in module.parent.parts if part != "framesweep"],
            f"test_{module.stem.lstrip('_')}.py",
        )
        for module in modules
        if module.name != "__init__.py"
    }


def exceptions() -> dict[Path, str]:
    """The modules that need no tests of their own, each with its reason."""
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {Path(path): reason for path, _, reason in pairs}


def test_every_module_has_its_test_file_or_a_reason_for_having_none():
    known = exceptions()
    missing = [
        f"src/{module}: write {test.relative_to(UNIT.parents[1])}, or give a reason in "
        f"{EXCEPTIONS.relative_to(UNIT.parents[1])}"
        for module, test in expected_tests().items()
        if not test.exists() and module not in known
    ]
    assert not missing, "\n".join(missing)


def test_every_exception_is_a_module_without_tests_and_gives_a_reason():
    tests = expected_tests()
    for module, reason in exceptions().items():
        assert module in tests, f"{module} does not exist"
        assert not tests[module].exists(), f"{module} has tests"
        assert len(reason.split()) > 2, module


def test_every_test_file_belongs_to_a_module():
    known = set(expected_tests().values())
    found = {path for path in UNIT.rglob("test_*.py") if path.name not in ABOUT_THE_WHOLE}
    lost = [
        f"{test.relative_to(UNIT.parents[1])}: src has no module of this path and name"
        for test in sorted(found - known)
    ]
    assert not lost, "\n".join(lost)
