"""What a run logs to the console and to tracking."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs import compose
from framesweep.config import DataConfig, SegmentsConfig
from framesweep.config.composition import CONFIG_FILE, register
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import open_store
from framesweep.data.windows import Windows
from framesweep.evaluation.predictor import WEIGHTS
from framesweep.runs.reporting import run_log
from framesweep.runs.reporting.run_log import (
    MODEL_FOLDER,
    REPORT_FOLDER,
    describe_store,
    log_resume_hint,
    log_setup,
    log_summary,
    track_config,
    track_results,
)
from framesweep.sweeps.context import SweepContext
from toy import NAMES, ToyCorpus

register()

HISTORY = [
    {"dev/accuracy": 0.5, "train/frames_per_second": 1000.0},
    {"dev/accuracy": 0.7, "dev/smoothed_accuracy": 0.8, "train/frames_per_second": 3000.0},
    {"dev/accuracy": 0.6, "train/frames_per_second": 2000.0},
]


class Tracker:
    """Records what is tracked."""

    run_id = "abc"

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))

    def named(self, name):
        return [args for called, args, _ in self.calls if called == name]


@pytest.fixture
def experiment():
    config = compose(["data=hw1p2", "data.root=/corpus", "data.context=3"])
    split = SimpleNamespace(num_frames=6000, lengths=[4000, 2000], rows=np.zeros((10, 4)))
    hardware = SimpleNamespace(precision="fp32", device=torch.device("cpu"), threads=2)
    return SimpleNamespace(
        config=config,
        store=SimpleNamespace(
            name="hw1p2",
            digest="d",
            feature_dim=4,
            splits={"train": split},
            phones=PhoneSet(("SIL", "B", "AA", "T", "IY")),
        ),
        train=None,
        widths=(8, 4),
        num_params=12345,
        components=SimpleNamespace(
            hardware=hardware, process_group=SimpleNamespace(size=2), average=None
        ),
    )


@pytest.fixture
def state():
    return SimpleNamespace(history=HISTORY, best_epoch=2, best=lambda name: HISTORY[1][name])


@pytest.fixture
def directory(tmp_path):
    """The directory of a run with a report."""
    (tmp_path / REPORT_FOLDER).mkdir()
    (tmp_path / REPORT_FOLDER / "phones.csv").touch()
    return tmp_path


def test_the_setup_has_the_sizes_of_data_and_network(experiment, caplog):
    caplog.set_level("INFO")
    log_setup(experiment)
    data, network, labels = caplog.messages
    assert data.startswith("hw1p2: train 6,000 frames")
    assert data.endswith("; 5 phones")
    assert network == (
        "network: 8-4, 12,345 parameters, context 3; fp32 on cpu, 2 processes of 2 threads"
    )
    assert labels == "labels: 5 phones in a given order: 0 SIL, 1 B, ..., 4 IY"


def test_a_single_phone_is_counted_and_a_warning(experiment, caplog):
    caplog.set_level("INFO")
    experiment.store = SimpleNamespace(
        name="hw1p2", splits=experiment.store.splits, phones=PhoneSet(("SIL",))
    )
    log_setup(experiment)
    assert caplog.messages[0].endswith("; 1 phone")
    assert caplog.messages[2:] == [
        "labels: 1 phone in alphabetical order: 0 SIL",
        "all frames have the same label, so that there is nothing to learn",
    ]


def test_the_setup_counts_one_thread(experiment, caplog):
    caplog.set_level("INFO")
    experiment.components.hardware.threads = 1
    experiment.components.process_group.size = 1
    log_setup(experiment)
    assert caplog.messages[1].endswith("; fp32 on cpu, 1 thread")


def test_a_split_larger_than_memory_is_a_warning(experiment, caplog, monkeypatch):
    monkeypatch.setattr(run_log, "memory_limit", lambda: 100)
    experiment.train = object.__new__(Windows)
    log_setup(experiment)
    (warning,) = caplog.messages
    assert warning.startswith("the train split needs ")
    assert warning.endswith(": train.order=windows reads it in large blocks")
    experiment.config.train.order = "windows"
    caplog.clear()
    log_setup(experiment)
    assert caplog.messages == []


def test_the_params_that_a_person_reads_are_tracked_and_the_config_is_an_artifact(
    experiment, tmp_path
):
    tracker: Any = Tracker()
    sweep = SweepContext(swept={"data.context": 3})
    track_config(tracker, experiment, tmp_path, sweep)
    ((params,),) = tracker.named("log_params")
    assert params["_swept/data.context"] == params["data.context"] == 3
    assert params["derived.widths"] == [8, 4]
    assert params["optim.lr"] == experiment.config.optim.lr
    assert tracker.named("log_artifact") == [(tmp_path / CONFIG_FILE,)]
    (dataset,) = [kwargs for name, _, kwargs in tracker.calls if name == "log_dataset"]
    assert dataset["splits"] == {"train": {"num_utterances": 2, "num_frames": 6000}}


def test_the_hash_of_the_config_covers_params_that_are_not_tracked(experiment, tmp_path):
    hashes = set()
    for epochs in (5, 6, 5):
        experiment.config.optim.step_epochs = epochs
        tracker: Any = Tracker()
        track_config(tracker, experiment, tmp_path, SweepContext())
        ((tags,),) = tracker.named("log_tags")
        hashes.add((epochs, tags["framesweep.config_hash"]))
    assert len(hashes) == 2


def test_the_best_epoch_is_tracked_with_the_files_of_the_run(experiment, state, directory):
    tracker: Any = Tracker()
    track_results(tracker, experiment, state, directory, in_sweep=False)
    assert tracker.named("log_tags") == [({"best_epoch": "2"},)]
    assert tracker.named("log_epoch") == []
    assert tracker.named("log_artifact") == [
        (directory / REPORT_FOLDER / "phones.csv", REPORT_FOLDER),
        (directory / MODEL_FOLDER / WEIGHTS,),
    ]


@pytest.mark.parametrize(
    ("log_model", "in_sweep", "logged"),
    [(None, False, 1), (None, True, 0), (True, True, 1), (False, False, 0)],
)
def test_a_model_is_logged_unless_the_run_is_part_of_a_sweep(
    experiment, state, directory, log_model, in_sweep, logged
):
    experiment.config.tracking.log_model = log_model
    tracker: Any = Tracker()
    track_results(tracker, experiment, state, directory, in_sweep=in_sweep)
    assert len(tracker.named("log_model")) == logged


def test_the_summary_has_the_best_epoch_and_where_its_files_are(
    experiment, state, tmp_path, caplog
):
    caplog.set_level("INFO")
    log_summary(experiment, state, tmp_path, "abc")
    assert caplog.messages == [
        "best dev/accuracy 0.7000 (epoch 2), final dev accuracy 0.6000, 2,000 frames/s",
        "dev accuracy after Viterbi smoothing: 0.8000",
        f"files: {tmp_path}",
        "run: abc   compare runs with: framesweep ui",
    ]


def test_an_average_that_never_started_is_a_warning(experiment, state, tmp_path, caplog):
    experiment.components.average = SimpleNamespace(model=None)
    log_summary(experiment, state, tmp_path, None)
    assert caplog.messages == [
        "train.average=swa had no effect: training ended before averaging started"
    ]


def test_a_stopped_run_says_how_to_resume_it(caplog, monkeypatch, tmp_path):
    caplog.set_level("INFO")
    monkeypatch.setattr(run_log, "resume_hint", lambda *arguments: f"resume {arguments}")
    tracker: Any = Tracker()
    config: Any = "config"
    log_resume_hint(tracker, config, tmp_path)
    expected = f"stopped; resume with: resume {('config', tmp_path, 'abc')}"
    assert caplog.messages == [expected]


@pytest.mark.parametrize(
    ("config", "train", "dev"),
    [
        (DataConfig(), "2.0 min", "0.5 min"),
        (SegmentsConfig(), "2.0 min", "0.5 min"),
        (SegmentsConfig(shift_ms=20.0, window_ms=30.0), "4.0 min", "1.0 min"),
    ],
)
def test_durations_follow_from_the_frame_shift(tmp_path, config, train, dev):
    lengths = {"train": (7000, 5000), "dev": (3000,)}
    store = open_store(DataConfig(), ToyCorpus(lengths), tmp_path)
    assert describe_store(store, config.frame_shift_ms) == (
        f"toy: train 12,000 frames ({train}), dev 3,000 frames ({dev}); {len(NAMES)} phones"
    )
