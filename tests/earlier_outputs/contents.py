"""The outputs created at an earlier commit: how to put them in place, and how to read them.

`be4673b.tar.xz` holds what `create.py` made at that commit: a corpus, an outputs folder and the
values that were measured then. Framesweep writes absolute paths into databases and YAML files,
because a run must be found whatever the working directory. A test needs the outputs in a folder
of its own, so `restore` replaces the folder they were created in wherever it is written down.
"""

import contextlib
import hashlib
import json
import sqlite3
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ARCHIVE = Path(__file__).with_name("be4673b.tar.xz")
CREATED_IN = "/tmp/framesweep-earlier"
STORE_FORMAT = 1
SQLITE_MAGIC = b"SQLite format 3\0"

Metrics = dict[str, dict[int, float]]


@dataclass(frozen=True)
class EarlierOutputs:
    """The restored folder.

    Attributes:
        folder: holds `corpus`, `outputs` and `expected`.
    """

    folder: Path

    @property
    def corpus(self) -> Path:
        """The corpus, in HW1P2's format."""
        return self.folder / "corpus"

    @property
    def outputs(self) -> Path:
        """What `FRAMESWEEP_OUTPUTS` names."""
        return self.folder / "outputs"

    @property
    def prepared(self) -> Path:
        """The prepared store."""
        (store,) = (self.outputs / "cache").iterdir()
        return store

    @cached_property
    def expected(self) -> dict[str, Any]:
        """The values that `create.py` recorded."""
        text = (self.folder / "expected" / "expected.json").read_text(encoding="utf-8")
        values: dict[str, Any] = json.loads(text)
        return values

    def run_directory(self, run_id: str) -> Path:
        """Return the directory of the run with this MLflow id."""
        sql = "select value from tags where key = 'framesweep.run_dir' and run_uuid = ?"
        ((directory,),) = self.query(sql, run_id)
        return Path(directory)

    def metrics(self, run_id: str) -> Metrics:
        """Return a run's metrics but speeds, as MLflow has them: name -> epoch -> value."""
        sql = "select key, step, value from metrics where run_uuid = ? order by key, step"
        found: Metrics = {}
        for name, epoch, value in self.query(sql, run_id):
            if not name.endswith("per_second"):
                steps = found.setdefault(name, {})
                assert epoch not in steps, f"{name} of epoch {epoch} was logged twice"
                steps[epoch] = value
        return found

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that MLflow's database gives for a statement."""
        with contextlib.closing(sqlite3.connect(self.outputs / "mlflow.db")) as connection:
            return connection.execute(sql, values).fetchall()


def restore(folder: Path) -> EarlierOutputs:
    """Unpack the archive into `folder`, which then counts as where everything was created."""
    folder = folder.resolve()
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    outputs = EarlierOutputs(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _move_references(path, str(folder))
    outputs.prepared.rename(outputs.prepared.with_name(store_name(outputs.corpus)))
    return outputs


def store_name(corpus: Path) -> str:
    """Return the name that the prepared store of a corpus in HW1P2's format had at be4673b.

    It is a digest over the files' paths, sizes and times of modification. That it never changes
    is what keeps a corpus from being prepared again after an update.
    """
    names = ("train", "train_labels", "dev", "dev_labels", "test")
    files = [corpus / f"{name}.npy" for name in names] + [corpus / "phonemes.txt"]
    stamps = {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}
    text = json.dumps([STORE_FORMAT, {"files": stamps, "max_utterances": None}], sort_keys=True)
    return f"hw1p2-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def _move_references(path: Path, folder: str) -> None:
    content = path.read_bytes()
    if CREATED_IN.encode() not in content:
        return
    if content.startswith(SQLITE_MAGIC):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            _replace_in_tables(connection, CREATED_IN, folder)
    else:
        path.write_text(content.decode().replace(CREATED_IN, folder), encoding="utf-8")


def _replace_in_tables(connection: sqlite3.Connection, old: str, new: str) -> None:
    tables = connection.execute("select name from sqlite_master where type = 'table'")
    for (table,) in tables.fetchall():
        for column in connection.execute(f"pragma table_info('{table}')").fetchall():
            name = column[1]
            connection.execute(
                f'update "{table}" set "{name}" = replace("{name}", ?, ?) '
                f'where typeof("{name}") = \'text\' and instr("{name}", ?)',
                (old, new, old),
            )
