"""Tables and sentences contain the numbers of their results."""

import io

import pytest
from rich.console import Console

from framesweep.bench import report


def render(shown, width: int = 200) -> str:
    file = io.StringIO()
    Console(width=width, file=file).print(shown)
    return file.getvalue()


THROUGHPUT = {
    **{"what": "train", "model": "conv_small", "precision": "bf16", "context": 25},
    **{"batch_size": 2048, "processor": "Some CPU", "threads": 2},
    "frames_per_second": {"train": 123456.7},
}


def read_headings(text: str) -> list[str]:
    return next(line for line in text.splitlines() if "frames/s" in line).split()


def test_throughput_and_its_ratios_to_the_baselines_that_were_measured() -> None:
    result = {**THROUGHPUT, "ratio": {"matmul": 0.934, "plain step": 2.5}}
    text = render(report.build_throughput_table([result]))
    assert "123,457" in text
    assert "0.93" in text
    assert "2.50" in text
    assert read_headings(text) == ["model", "ctx", "batch", "frames/s", "matmul", "plain"]


@pytest.mark.parametrize(("threads", "named"), [(1, "1 thread,"), (2, "2 threads,")])
def test_throughputs_are_those_of_a_processor_and_its_threads(threads, named) -> None:
    result = {**THROUGHPUT, "threads": threads, "ratio": {}}
    text = render(report.build_throughput_table([result]))
    assert f"Some CPU, {named}" in text


def test_all_columns_of_throughputs_fit_eighty_characters() -> None:
    result = {**THROUGHPUT, "ratio": dict.fromkeys(report.COLUMNS, 12.34)}
    evaluation = {**result, "what": "evaluate", "frames_per_second": {"evaluate": 1234567.8}}
    text = render(report.build_throughput_table([result, evaluation]), width=80)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    words = ["model", "ctx", "batch", "frames/s", *report.COLUMNS.values()]
    assert read_headings(text) == words
    assert "1,234,568" in text


SCALE = {
    **{"frames": 3000, "dtype": "float16", "imports": 1.5, "first step beyond imports": 0.25},
    **{"first step, cold": 7.0, "seconds per step": 0.012},
    "memory": {"imports": 100_000_000, "own": 20_000_000, "peak": 300_000_000},
    **{"peak over features": 3.0, "peak beyond imports over features": 2.0},
    "peak over features, cold": 5.0,
}


def test_start_times() -> None:
    row = render(report.build_start_table([SCALE])).splitlines()[-1].split()
    assert row == ["float16", "3,000", "1.50", "0.25", "7.0", "12"]


def test_memory_in_megabytes() -> None:
    row = render(report.build_memory_table([SCALE])).splitlines()[-1].split()
    assert row == ["float16", "3,000", "100", "20", "300", "3.00", "2.00", "5.00"]


def test_memory_that_the_system_does_not_report_is_zero() -> None:
    row = render(report.build_memory_table([{**SCALE, "memory": {}}])).splitlines()[-1].split()
    assert row[2:5] == ["0", "0", "0"]


def test_sweeps_by_workers() -> None:
    result = {
        **{"n_jobs": 2, "threads": 1, "trials": 8},
        **{"trials per hour": 1234.5, "pause seconds": 0.5},
    }
    row = render(report.build_sweep_table([result])).splitlines()[-1].split()
    assert row == ["2", "1", "8", "1,234", "0.50"]


def test_accuracies_of_each_seed() -> None:
    result = {
        **{"model": "base", "context": 25, "precision": "fp32", "modules": "fused"},
        **{"epochs": 2, "dev/accuracy": [0.5, 0.75], "mean": 0.625, "deviation": 0.1768},
    }
    text = render(report.build_accuracy_table([result]))
    assert "0.5000 0.7500" in text
    assert "0.6250" in text
    assert "0.1768" in text


@pytest.mark.parametrize(("value", "shown"), [(12.345, "12.35"), (None, "never")])
def test_searches_with_a_goal_that_may_never_be_reached(value, shown) -> None:
    result = {"trials": 8, "ratio": 1.5, "stock": {"seconds": 20.0}}
    result["framesweep"] = {"seconds": value}
    text = render(report.build_search_table(result))
    assert shown in text
    assert "1.50" in text


def test_sentences_about_an_epoch_and_the_first_layer() -> None:
    epoch = {
        **{"frames": 20_000, "model": "base", "precision": "fp32"},
        **{"share of evaluation": 0.1, "share of the rest": 0.025},
        "seconds of the rest": 0.5,
    }
    text = report.describe_epoch(epoch)
    assert "20,000 frames" in text
    assert "10.0% evaluation, 2.5% checkpoint, MLflow and the rest (0.50 s)" in text
    layer = {
        **{"model": "base", "precision": "fp32", "context": 25},
        "ratio": {"convolution": 1.25},
    }
    assert "1.25 times as fast" in report.describe_first_layer(layer)


def test_sentences_about_preparation() -> None:
    result = {
        **{"frames": 1_000_000, "processor": "a CPU"},
        "bytes_per_second": {"prepare": 4e8, "copy": 1.6e9},
        "ratio": {"copy": 0.25, "copy, bytes written": 0.5},
    }
    text = report.describe_preparation(result)
    assert "400 MB/s of the corpus, 0.25 times" in text
    assert "0.50 times if the bytes" in text
    sound = {"times_real_time": {"16000 Hz": 700.4}}
    assert "per core: 700 (16000 Hz)." in report.describe_sound(sound)
    assert report.describe_help({"seconds": 0.256}) == "train --help: 0.26 s"
