"""Training on streamed features computes the same bits as on features in memory."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from configs import compose
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.data import streamed_windows
from framesweep.data.streamed_chunks import StreamedChunks
from framesweep.data.streamed_windows import StreamedWindows
from framesweep.data.utterance_chunks import UtteranceChunks
from framesweep.errors import Interrupted
from framesweep.runs import train_data
from framesweep.runs.experiment import build_experiment
from framesweep.runs.train_data import with_recorded_order
from framesweep.training import samplers
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import CHECKPOINT_FOLDER
from toy import ToyCorpus, write_hw1p2

register()
LIMIT = 1e-6
"""A limit in GiB, of about a kilobyte."""


class StopAt(NoOpCallback):
    """Asks to stop after a step of the second epoch."""

    def __init__(self, step=0):
        self.step, self.now = step, (0, 0)

    def on_step(self, epoch, step, num_steps):
        self.now = (epoch, step)

    def stop_signal(self):
        return 15 if self.now == (2, self.step) else 0


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config of a tiny network on a toy corpus, in blocks of 16 frames."""
    for module in (streamed_windows, samplers, train_data):
        monkeypatch.setattr(module, "BLOCK_FRAMES", 16)
    corpus = ToyCorpus({"train": (40, 25, 60, 33, 70), "dev": (30, 20), "test": (15, 5)})
    root = write_hw1p2(tmp_path / "corpus", corpus)
    data = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}", "data.context=2"]
    train = ["train.epochs=3", "train.batch_size=20", "train.window_frames=48"]
    return compose([*data, *train, "model.widths=[8,4]", "hardware.threads=1", "hardware=cpu"])


def limited(config):
    return replace(config, hardware=replace(config.hardware, max_store_gib=LIMIT))


def fit(config, folder, callback=None):
    experiment = build_experiment(config)
    state = experiment.fit(experiment.checkpoints(folder), callback or NoOpCallback())
    history = [{k: v for k, v in m.items() if "per_second" not in k} for m in state.history]
    return experiment, history


def equal(first, second):
    weights = [e.components.model.state_dict() for e in (first, second)]
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_streamed_windows_train_to_the_same_bits_in_the_order_of_windows(
    config, tmp_path, caplog
):
    caplog.set_level("INFO")
    plain, history = fit(
        replace(config, train=replace(config.train, order="windows")), tmp_path / "plain"
    )
    streamed, streamed_history = fit(limited(config), tmp_path / "streamed")
    assert isinstance(streamed.train, StreamedWindows)
    assert isinstance(streamed.dev, StreamedWindows)
    assert equal(plain, streamed)
    assert streamed_history == history
    (line,) = [r.getMessage() for r in caplog.records if "streamed" in r.getMessage()]
    assert "train.order=windows" in line
    assert "0.00 GiB" in line


def test_streamed_chunks_train_to_the_same_bits(config, tmp_path):
    tdnn = ["model=tdnn", "model.channels=4", "model.dilations=[1,1]", "model.run_frames=16"]
    config = replace(config, model=compose(tdnn).model)
    plain, history = fit(config, tmp_path / "plain")
    streamed, streamed_history = fit(limited(config), tmp_path / "streamed")
    assert isinstance(streamed.train, StreamedChunks)
    assert streamed.config.train.order == "shuffle"
    assert equal(plain, streamed)
    assert streamed_history == history


def test_streamed_chunks_of_utterances_train_to_the_same_bits(config, tmp_path):
    lstm = ["model=lstm", "model.width=4", "model.layers=1", "model.chunk_frames=16"]
    config = replace(config, model=compose(lstm).model)
    plain, history = fit(config, tmp_path / "plain")
    streamed, streamed_history = fit(limited(config), tmp_path / "streamed")
    assert isinstance(streamed.train, UtteranceChunks)
    assert isinstance(streamed.dev, StreamedWindows)
    assert equal(plain, streamed)
    assert streamed_history == history


@pytest.mark.parametrize("step", [1, 4, 9])
@pytest.mark.parametrize("fits_later", [True, False])
def test_a_streamed_run_resumes_to_the_same_bits_wherever_it_is_resumed(
    config, tmp_path, step, fits_later
):
    whole, history = fit(limited(config), tmp_path / "whole")
    stopped = build_experiment(limited(config))
    with pytest.raises(Interrupted):
        stopped.fit(stopped.checkpoints(tmp_path / "parts"), StopAt(step))
    later = replace(stopped.config, hardware=config.hardware) if fits_later else stopped.config
    resumed, resumed_history = fit(later, tmp_path / "parts")
    assert isinstance(resumed.train, StreamedWindows) != fits_later
    assert equal(whole, resumed)
    assert resumed_history == history


def test_a_trial_that_is_composed_anew_continues_in_the_order_it_began_in(config, tmp_path):
    assert with_recorded_order(config, tmp_path).train.order == "shuffle"
    began = replace(config, train=replace(config.train, order="windows"))
    (tmp_path / CONFIG_FILE).write_text(dump(began))
    assert with_recorded_order(config, tmp_path).train.order == "shuffle", "no step was saved"
    (tmp_path / CHECKPOINT_FOLDER).mkdir()
    assert with_recorded_order(config, tmp_path) == began


def test_a_trial_of_an_earlier_version_keeps_the_numbers_of_its_phones(tmp_path):
    (tmp_path / CHECKPOINT_FOLDER).mkdir()
    config = compose(["data=hw1p2_folders"])
    text = dump(config).partition("\n")[2].replace("    phone_order: course\n", "")
    (tmp_path / CONFIG_FILE).write_text(text)
    data_config: Any = with_recorded_order(config, tmp_path).data
    assert data_config.phone_order == "alphabetical"
