"""`framesweep bench` from its options to its JSON, on corpora as small as can be."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from framesweep.bench import suites
from framesweep.bench.accuracy import VARIANTS
from framesweep.bench.corpus import write_corpus
from framesweep.bench.search.contenders import build_contender, list_contenders
from framesweep.commands import bench
from framesweep.errors import ConfigError


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> list[str]:
    monkeypatch.setattr(suites, "TRAIN_FRAMES", 20_000)
    return ["--folder", str(tmp_path / "bench"), "--json", str(tmp_path / "results.json")]


@pytest.mark.heavy
def test_quick_bench(tiny, tmp_path) -> None:
    arguments = (
        "--models small --contexts 1 --precisions fp32 --sizes 3000 --rounds 2 --steps 1"
    )
    done = CliRunner().invoke(bench.command, [*tiny, *arguments.split(), "--threads", "1"])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results.json").read_text())
    kinds = [result["what"] for result in results]
    train = ["train", "evaluate", "predict", "first layer"]
    assert kinds == [*train, "epoch", "help", "scale", "scale"]
    scales = results[-2:]
    assert [result["dtype"] for result in scales] == ["float32", "float16"]
    assert all(result["first step beyond imports"] > 0 for result in scales)
    assert "Throughput" in done.output
    assert "Start, seconds" in done.output
    assert "Memory" in done.output
    assert "First layer" in done.output
    assert not list((tmp_path / "bench").glob("cache-*"))


def test_only_one_kind_of_benchmark_is_run(tiny) -> None:
    done = CliRunner().invoke(bench.command, [*tiny, "--sweep", "--search"])
    assert done.exit_code == 2
    assert "--sweep and --search exclude each other" in done.output


def test_preparation_bench(tiny, tmp_path) -> None:
    done = CliRunner().invoke(bench.command, [*tiny, "--prepare", "--sizes=3000", "--rounds=1"])
    assert done.exit_code == 0, done.output
    prepared, sound = json.loads((tmp_path / "results.json").read_text())
    assert prepared["frames"] == 3000
    # Features and their normalized copy; labels, padding and texts are small.
    assert prepared["bytes written per byte read"] > 1.9
    assert prepared["ratio"]["copy"] > 0
    assert set(sound["times_real_time"]) == {"16000 Hz", "44100 Hz"}
    assert "Preparing 3,000 frames" in done.output
    assert "From sound to log-mel features" in done.output
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"random-3000-40"}


def test_accuracy_bench(tiny, tmp_path, monkeypatch) -> None:
    root = write_corpus(tmp_path, 2500, feature_dim=8)
    monkeypatch.setattr(suites, "ACCURACY_DATA", ("data=hw1p2", f"data.root={root}"))
    arguments = "--accuracy --models small --contexts 1 --seeds 1 --epochs 1 --threads 1"
    done = CliRunner().invoke(bench.command, [*tiny, *arguments.split()])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(r["precision"], r["modules"]) for r in results] == list(VARIANTS)
    assert all(0 < r["mean"] < 1 for r in results)
    assert "Dev accuracy" in done.output


def test_search_bench(tiny, tmp_path, monkeypatch) -> None:
    random = build_contender(
        "random", "hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none"
    )
    missing = replace(random, name="missing", sampler={**random.sampler, "unknown": 1})
    monkeypatch.setattr(suites, "list_contenders", lambda *chosen: [random, missing])
    arguments = "--search --seeds 1 --seed 7 --jobs 2"
    done = CliRunner().invoke(bench.command, [*tiny, *arguments.split()])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(r["search"], r["n_jobs"], r["seeds"]) for r in results] == [
        ("stock sweeper", 2, 1),
        ("random", 2, 1),
    ]
    assert "Searches with 2 worker(s)" in done.output


def test_searches_that_are_left_out_are_named_and_unknown_ones_refused(caplog) -> None:
    chosen = list_contenders(["tpe"], [])
    assert [c.name for c in chosen] == ["framesweep", "random", "sampler=tpe"]
    assert suites._choose("samplers", ["tpe", "gp"], ["tpe", "gp", "grid"]) == ["tpe", "gp"]
    assert "left out; replay them with --samplers grid" in caplog.text
    done = CliRunner().invoke(bench.command, ["--search", "--pruners", "none,unknown"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("--pruners: must be of ")


@pytest.mark.parametrize(
    "option",
    [
        "--sizes=",
        "--sizes=1,x",
        "--contexts=5,-1",
        "--precisions=fp8",
        "--rounds=0",
        "--json=/tmp",
    ],
)
def test_wrong_options_are_refused(tiny, option) -> None:
    done = CliRunner().invoke(bench.command, [*tiny, option])
    assert done.exit_code == 2
    assert f"Invalid value for '{option.partition('=')[0]}'" in done.output


@pytest.mark.parametrize("model", ["tdnn", "conv", "deep"])
def test_accuracies_of_networks_without_plain_modules_are_refused(
    tiny, monkeypatch, tmp_path, model
) -> None:
    root = write_corpus(tmp_path, 2500, feature_dim=8)
    monkeypatch.setattr(suites, "ACCURACY_DATA", ("data=hw1p2", f"data.root={root}"))
    done = CliRunner().invoke(bench.command, [*tiny, "--accuracy", "--models", model])
    assert str(done.exception).startswith("--models: must be perceptrons without convolutions")


def test_networks_that_need_a_larger_context_are_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(suites, "TRAIN_FRAMES", 20_000)
    measured = []
    monkeypatch.setattr(suites, "measure_training", lambda case, *_: measured.append(case))
    chosen = {
        "models": ["tdnn", "small"],
        "precisions": ["fp32"],
        "contexts": [0],
        "batch_sizes": [64, 128],
        "rounds": 1,
        "steps": 1,
        "cpu_time": False,
    }
    results = suites.measure_speed(chosen, tmp_path)
    next(results)
    assert [(case.model, case.batch_size) for case in measured] == [("small", 64)]
    with pytest.raises(ConfigError, match="dilations"):
        next(suites.measure_speed({**chosen, "models": ["tdnn"]}, tmp_path))
