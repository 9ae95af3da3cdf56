"""Predictions of single runs and of ensembles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from configs import compose
from framesweep.config.composition import dump, register
from framesweep.data.train_share import take_train_share
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.phone_chain import Chain
from framesweep.evaluation.smoother_file import average_chains, write_smoother
from framesweep.evaluation.viterbi import Smoother, Strength, count_train_chain
from framesweep.runs.ensembles import predictions
from framesweep.runs.ensembles.predictions import (
    TrainedRun,
    average_posteriors,
    evaluate_runs,
    has_model,
    list_distinct,
    load_trained_run,
    predict_smoothed,
    tune_for,
)
from framesweep.runs.experiment import build_experiment
from toy import ToyCorpus, write_hw1p2

register()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two untrained runs of different seeds and contexts."""
    folder = tmp_path_factory.mktemp("runs")
    root = write_hw1p2(folder / "corpus", ToyCorpus())
    made = []
    for seed in (0, 1):
        overrides = [
            *("data=hw1p2", f"data.root={root}", f"outputs={folder}", "hardware=cpu"),
            *("model.widths=[8]", f"seed={seed}", f"data.context={seed + 1}"),
        ]
        config = compose([*overrides, "hardware.threads=1", "hardware.precision=fp32"])
        experiment = build_experiment(config)
        components = experiment.components
        model = components.model.eval()
        made.append(
            TrainedRun(folder / str(seed), config, experiment.store, model, components.hardware)
        )
    return made


def test_posteriors_are_probabilities_of_each_frame(runs):
    posteriors = runs[0].compute_posteriors("dev")
    assert posteriors.shape == (50, len(runs[0].store.phones))
    torch.testing.assert_close(posteriors.sum(dim=1), torch.ones(50))


def test_an_ensemble_averages_probabilities(runs):
    expected = sum(run.compute_posteriors("dev") for run in runs) / 2
    torch.testing.assert_close(average_posteriors(runs, "dev"), expected)


def test_a_run_that_is_named_twice_is_computed_once_and_counts_twice(runs):
    first, second = (run.compute_posteriors("dev") for run in runs)
    averaged = average_posteriors([runs[0], runs[1], runs[0]], "dev")
    torch.testing.assert_close(averaged, (2 * first + second) / 3)
    assert list_distinct([runs[0], runs[1], runs[0]]) == list(runs)


def test_an_ensemble_is_evaluated_by_its_average(runs):
    evaluation = evaluate_runs(runs, "dev")
    labels = torch.from_numpy(runs[0].store.splits["dev"].labels.astype(np.int64))
    correct = average_posteriors(runs, "dev").argmax(dim=1) == labels
    assert evaluation.metrics()["dev/accuracy"] == pytest.approx(correct.float().mean().item())


def test_an_ensemble_of_one_is_the_run(runs):
    alone, ensemble = (evaluate_runs(members, "dev") for members in (runs[:1], [runs[0]] * 2))
    assert alone.metrics() == pytest.approx(ensemble.metrics(), rel=1e-5)


def test_runs_of_different_corpora_form_no_ensemble(runs):
    other = replace(runs[1], store=replace(runs[1].store, digest="other"))
    with pytest.raises(DataError, match="must be trained on the same data as"):
        average_posteriors([runs[0], other], "dev")


def test_a_split_without_labels_cannot_be_evaluated(runs):
    with pytest.raises(DataError, match=r"^hw1p2 test: must have labels to be evaluated"):
        evaluate_runs(runs, "test")
    assert average_posteriors(runs, "test").shape[0] == 20


def test_an_unknown_split_is_named(runs):
    with pytest.raises(DataError, match=r"must have a split eval; found train, dev"):
        runs[0].open_windows("eval")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["data=hw1p2", "data.root=/x"],
            r"^/x: must contain test\.npy .* --set data\.root=FOLDER",
        ),
        (
            ["data=hw1p2_folders", "data.root=/x", "data.test_partition=eval"],
            r"^/x: must contain the folder eval/mfcc, .* --set data\.test_partition=NAME",
        ),
        (["data=demo"], r"^hw1p2: must have a split test; found train, dev$"),
    ],
)
def test_a_missing_test_set_is_named_with_where_it_belongs(runs, overrides, line):
    splits = {name: runs[0].store.splits[name] for name in ("train", "dev")}
    store = replace(runs[0].store, splits=splits)
    with pytest.raises(DataError, match=line):
        replace(runs[0], store=store, config=compose(overrides)).require_split("test")


def test_a_run_whose_data_has_moved_names_the_option(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    config = compose(["data=hw1p2", f"data.root={tmp_path}/moved", "hardware=cpu"])
    (tmp_path / "model" / "config.yaml").write_text(dump(config))
    with pytest.raises(
        DataError, match=r"^data\.root: must .* pass --set data\.root=FOLDER\.$"
    ):
        load_trained_run(tmp_path)


def test_smoothed_predictions_are_phone_ids_of_each_frame(runs):
    smoothed = predict_smoothed(runs, "test")
    assert smoothed.shape == (20,)
    assert set(smoothed.tolist()) <= set(range(len(runs[0].store.phones)))


def test_the_smoother_of_a_run_on_a_share_is_counted_on_the_share(runs, tmp_path):
    config = replace(runs[0].config, data=replace(runs[0].config.data, share=0.5))
    on_share = replace(runs[0], directory=tmp_path, config=config)
    store, counts = take_train_share(runs[0].store, config.data, 1, config.seed)
    assert counts[-1] < len(runs[0].store.splits["train"].ids)
    chains = [count_train_chain(store), count_train_chain(runs[0].store)]
    assert not np.array_equal(chains[0].log_prior, chains[1].log_prior)
    for members, chain in (
        ([on_share], chains[0]),
        ([runs[1]], chains[1]),
        ([on_share, runs[1]], average_chains(chains)),
    ):
        np.testing.assert_array_equal(
            tune_for(members).chain.log_transition, chain.log_transition
        )


def test_a_single_run_is_smoothed_by_the_smoother_of_its_model(runs, tmp_path, monkeypatch):
    run = replace(runs[0], directory=tmp_path)
    (tmp_path / "model").mkdir()
    always_one = Chain(
        log_prior=np.zeros(len(run.store.phones), np.float32),
        log_start=np.eye(len(run.store.phones), dtype=np.float32)[1] * 1e6,
        log_transition=np.eye(len(run.store.phones), dtype=np.float32) * 1e6,
    )
    write_smoother(tmp_path / "model", Smoother(always_one, Strength(1.0, 0.0)))
    monkeypatch.setattr(predictions, "tune_smoother", None)  # dev is not needed
    assert predict_smoothed([run, run], "test").tolist() == [1] * 20


def test_a_line_says_that_smoothing_changes_nothing(runs, tmp_path, caplog):
    run = replace(runs[0], directory=tmp_path)
    (tmp_path / "model").mkdir()
    chain = count_train_chain(run.store)
    write_smoother(tmp_path / "model", Smoother(chain, Strength(0.0, 0.0)))
    with caplog.at_level("INFO"):
        predict_smoothed([run], "test")
    assert caplog.messages == ["smoothing changes nothing: no strength makes dev more accurate"]


def test_a_run_that_has_not_finished_cannot_be_loaded(tmp_path):
    with pytest.raises(CheckpointError, match=r"must contain model/model.safetensors. Resume"):
        load_trained_run(tmp_path)


def test_the_folder_of_a_sweep_is_not_taken_for_an_unfinished_run(tmp_path):
    (tmp_path / "multirun.yaml").touch()
    rule = rf"must be a run, and not .* Name one of its runs, as {tmp_path.name}/0\."
    with pytest.raises(CheckpointError, match=rule):
        load_trained_run(tmp_path)


def test_a_run_has_a_model_once_it_has_finished(tmp_path: Path):
    assert not has_model(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    assert has_model(tmp_path)
