"""A case describes an experiment that `train.py` could run."""

import time
from dataclasses import replace


def test_the_experiment_has_the_settings_of_the_case(case) -> None:
    experiment = case.build_experiment()
    assert experiment.config.data.context == 1
    assert experiment.components.hardware.precision == "fp32"
    assert experiment.components.hardware.threads == 1
    assert replace(case, batch_size=64).compose().train.batch_size == 64
    assert experiment.train.num_frames == 20_000


def test_a_case_without_threads_uses_all_cores(case) -> None:
    assert "hardware.threads=1" in case.to_overrides()
    assert "hardware.threads=null" in replace(case, threads=None).to_overrides()


def test_labels_contain_what_differs_between_cases(case) -> None:
    assert case.to_labels() == {
        "model": "small",
        "precision": "fp32",
        "context": 1,
        "batch_size": 2048,
    }


def test_the_clock_is_wall_time_or_cpu_time(case) -> None:
    assert case.clock is time.perf_counter
    assert replace(case, cpu_time=True).clock is time.process_time
