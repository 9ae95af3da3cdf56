"""Checks come before measurements, and what compiles comes last."""

from framesweep.bench.gpu.__main__ import build_setup
from framesweep.bench.gpu.cases import MODELS, VARIANTS
from framesweep.bench.gpu.plan import MEASURED, list_tasks


def test_every_config_is_checked_and_every_network_measured_in_every_mode(tmp_path):
    tasks = list(list_tasks(build_setup("cuda", tmp_path)))
    names = [f"{task.section}: {task.case}" for task in tasks]
    assert len(set(names)) == len(names)
    for name in MODELS:
        assert f"CPU: {name}" in names
        assert f"no wait in 20 steps: {name}, graph" in names
    for name in VARIANTS:
        assert f"no wait in 20 steps: {name}" in names
    for mode in ("graph", "eager", "compiled", "compiled graph", "plain loop"):
        for name in MEASURED:
            for batch in (2048, 16_384, 65_536):
                assert f"{name}, batch {batch}: {mode}" in names
    compiled = [i for i, name in enumerate(names) if "compiled" in name]
    assert compiled == list(range(compiled[0], len(names)))
