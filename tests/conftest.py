"""What tests of every kind share."""

import gc
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Without bytecode on disk, each of hundreds of processes would compile the package again, and
# pytest would rewrite all tests again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Tests are many and their tensors small: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is the fastest depends on the processor and its load, and so does the rounding.
os.environ.setdefault("FRAMESWEEP_MATMUL", "default")

# On a busy machine, a process may wait for seconds between two examples.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

# A shell's background job ignores Ctrl-C, and so would every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file without heavy tests if only those are wanted: five in six have none."""
    if config.option.markexpr != "heavy" or collection_path.suffix != ".py":
        return None
    return True if "mark.heavy" not in collection_path.read_text(encoding="utf-8") else None


FROZEN_MODULES = pytest.StashKey[int]()
IMPORTS_WORTH_A_COLLECTION = 200


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Exempt tests and modules from the search for garbage, which each run ends with."""
    frozen = item.config.stash.get(FROZEN_MODULES, 0)
    if len(sys.modules) > frozen + IMPORTS_WORTH_A_COLLECTION:
        gc.collect()
        gc.freeze()
        item.config.stash[FROZEN_MODULES] = len(sys.modules)


@pytest.fixture(autouse=True)
def unchanged_environment() -> Iterator[None]:
    """Undo what libraries, as torch's compiler, write into the environment while a test runs.

    A command with another environment than the first tests had would be started from nothing.
    """
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def config_files_parsed_once() -> None:
    """Parse each config file once per process: Hydra reads all of them for each config."""
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra.plugins.config_source import ConfigResult

    load, parsed = FileConfigSource.load_config, {}

    def load_once(self: FileConfigSource, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.is_file():
            return load(self, config_path)
        state = path.stat()
        key = path, self.provider, state.st_mtime_ns, state.st_size
        if key not in parsed:
            parsed[key] = pickle.dumps(load(self, config_path))
        result: ConfigResult = pickle.loads(parsed[key])
        return result

    FileConfigSource.load_config = load_once


@pytest.fixture
def empty_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces pictures by empty files. Drawing takes a third of the time of a tiny run."""
    from matplotlib.figure import Figure

    def save(figure: Figure, path: Path, **options: object) -> None:
        path.write_bytes(b"")

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory) -> Path:
    """An empty MLflow database; making one takes a second or more, copying it does not."""
    from framesweep.tracking import mlflow_store

    outputs = tmp_path_factory.mktemp("mlflow")
    mlflow_store.connect(mlflow_store.resolve_tracking_uri(None, outputs), outputs)
    return outputs / "mlflow.db"


@pytest.fixture
def tracked_outputs(tmp_path, mlflow_database) -> Path:
    """An outputs folder with an MLflow database in it."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shutil.copy(mlflow_database, outputs)
    return outputs


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server; each test makes a database of its own in it."""
    from servers import postgres

    with postgres() as server:
        yield server
