"""Studies with many trials, which are copied row by row: Optuna writes them one by one."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process

DIMENSIONS = 5
STEPS = 10
ELSEWHERE = Process("elsewhere", 1, "")


def fill_study(storage: Any, name: str, running: int, ended: int) -> None:
    """Create a study in a database: half of the trials that have ended are pruned."""
    optuna.create_study(study_name=name, storage=storage, direction="maximize")
    study_id = storage.get_study_id_from_name(name)
    states = [TrialState.COMPLETE] * (ended - ended // 2) + [TrialState.PRUNED] * (ended // 2)
    states += [TrialState.RUNNING] * running
    models = {state: _create_model(storage, study_id, state) for state in set(states)}
    for model in models.values():
        storage.inner.record_heartbeat(model)
    generator = random.Random(0)
    generator.shuffle(states)
    engine = storage.inner._backend.engine
    tables = sqlalchemy.MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        _copy_trials(connection, tables, [models[state] for state in states], generator)


def _create_model(storage: Any, study_id: int, state: TrialState) -> int:
    claim: Any = {"serial": 1, "sweeper": ELSEWHERE.dump()}
    names = [f"x{i}" for i in range(DIMENSIONS)]
    trial = create_trial(
        state=state,
        value=0.5 if state is not TrialState.RUNNING else None,
        params=dict.fromkeys(names, 0.5),
        distributions=dict.fromkeys(names, FloatDistribution(0, 1)),
        intermediate_values=dict.fromkeys(range(1, STEPS + 1), 0.5),
        user_attrs={"overrides": [f"{name}=0.5" for name in names]},
        system_attrs={
            "completed_rung_0": 0.5,
            _trial_attrs.CLAIM: claim,
            _trial_attrs.WORKER: {**ELSEWHERE.dump(), "serial": 1},
        },
    )
    return int(storage.create_new_trial(study_id, trial))


def _copy_trials(
    connection: Any, tables: Any, models: list[int], generator: random.Random
) -> None:
    """Add a copy of each model, with other values of its parameters and results."""
    trials = tables.tables["trials"]
    first = connection.execute(sqlalchemy.select(sqlalchemy.func.max(trials.c.trial_id)))
    first = first.scalar_one() + 1
    for table in (trials, *(t for t in tables.sorted_tables if t is not trials)):
        if "trial_id" not in table.c:
            continue
        rows: dict[int, list[dict[str, Any]]] = {}
        for row in connection.execute(sqlalchemy.select(table)).mappings().all():
            rows.setdefault(row["trial_id"], []).append(dict(row))
        copies = [
            _vary(row, table, first + i, first - 1 + i, generator)
            for i, model in enumerate(models)
            for row in rows.get(model, [])
        ]
        if copies:
            connection.execute(sqlalchemy.insert(table), copies)
    if connection.dialect.name == "postgresql":  # whose sequence has not seen these ids
        last = first + len(models)
        connection.exec_driver_sql(f"SELECT setval('trials_trial_id_seq', {last})")


def _vary(
    row: dict[str, Any], table: Any, trial_id: int, number: int, generator: random.Random
) -> dict[str, Any]:
    copied = {key: value for key, value in row.items() if key not in table.primary_key.c}
    copied["trial_id"] = trial_id
    if "number" in copied:
        copied["number"] = number
    for key in ("param_value", "value", "intermediate_value"):
        if copied.get(key) is not None:
            copied[key] = generator.random()
    return copied


@contextmanager
def count_statements(storage: Any) -> Iterator[list[str]]:
    """Yield a list of the SQL statements that the storage sends within the context."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    engine = storage.inner._backend.engine
    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
