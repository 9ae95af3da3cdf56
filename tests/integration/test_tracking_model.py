"""What `mlflow.pyfunc.load_model` returns for the model of a run."""

import itertools
import subprocess
import sys

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from framesweep.config import TrackingConfig
from framesweep.errors import DataError
from framesweep.evaluation.predictor import Predictor
from framesweep.runs.run import run
from framesweep.tracking import mlflow_store, open_tracker
from toy import ToyCorpus

pytestmark = pytest.mark.usefixtures("empty_pictures")

SMALL = ("data=hw1p2", "model.widths=[8]", "hardware=cpu", "tracking=mlflow")
UNNEEDED = (
    "optuna",
    "matplotlib",
    "espeakng_loader",
    "kaldi_native_fbank",
    "soundfile",
    "numba",
    "hydra",
)
"""Dependencies of framesweep that prediction does not need."""

ELSEWHERE = f"""
import sys
from pathlib import Path
for name in {UNNEEDED}:
    sys.modules[name] = None
sys.path = [folder for folder in sys.path if not Path(folder, "framesweep/cli.py").exists()]
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("runs:/" + sys.argv[2] + "/model")
print(*model.predict(np.load(sys.argv[3]), params={{"frames": True}})["id"])
import framesweep
import hydra_plugins.framesweep_sweeper
print(framesweep.__file__)
print(hydra_plugins.framesweep_sweeper.__file__)
"""


@pytest.fixture(scope="module")
def utterance():
    return next(ToyCorpus().utterances("test")).features


@pytest.fixture
def trained(compose, hw1p2_root, tracked_outputs):
    """Yields the directory and the MLflow id of a run, and a client."""
    settings = ("data.context=2", "train.epochs=1", "train.batch_size=64", "hardware.threads=1")
    config = compose(f"data.root={hw1p2_root}", *SMALL, *settings, f"outputs={tracked_outputs}")
    directory = tracked_outputs / "runs" / "today" / "now"
    directory.mkdir(parents=True)
    run(config, directory)
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    mlflow.set_tracking_uri(uri)
    client = mlflow_store.connect(uri, tracked_outputs)
    (one,) = client.search_runs(["1"])
    yield directory, one.info.run_id, client
    mlflow.set_tracking_uri(None)


def _same_run(trained, directory=None):
    ran_in, run_id, _ = trained
    return open_tracker(TrackingConfig(), ran_in.parents[2], directory or ran_in, run_id=run_id)


def test_the_model_predicts_like_the_predictor_from_floats_of_any_width(trained, utterance):
    directory, run_id, _ = trained
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    predictor = Predictor.load(directory / "model")
    for dtype in (np.float16, np.float32, np.float64):
        features = utterance.astype(dtype)
        frames = model.predict(features, params={"frames": True})
        assert frames["id"].tolist() == predictor.predict(features).tolist()
        assert frames["id"].dtype == np.int64
        phones = model.predict(features)
        assert (phones["phone"] != phones["phone"].shift()).all()
        assert phones["phone"].tolist() == [
            name for name, _ in itertools.groupby(frames["phone"].tolist())
        ]
    columns = [column.name for column in model.metadata.signature.outputs.inputs]
    assert columns == list(frames.columns)
    with pytest.raises(MlflowException, match="must have 6 features per frame") as caught:
        model.predict(np.zeros((4, 5), dtype=np.float32))
    assert isinstance(caught.value.__cause__, DataError)


def test_the_model_says_what_it_was_trained_on(trained):
    directory, run_id, client = trained
    (logged,) = client.search_logged_models(["1"])
    metrics = client.get_run(run_id).data.metrics
    note = logged.tags["mlflow.note.content"]
    assert "**Trained on** hw1p2" in note
    assert f"dev/accuracy {metrics['best/accuracy']:.4f}" in note
    metadata = mlflow.pyfunc.load_model(f"runs:/{run_id}/model").metadata.metadata
    assert metadata["phones"] == list(Predictor.load(directory / "model").phones.names)
    assert metadata["metrics"]["dev/accuracy"] == metrics["best/accuracy"]


def test_the_model_contains_its_code_and_no_pickle(trained, utterance, tmp_path):
    directory, run_id, _ = trained
    np.save(tmp_path / "utterance.npy", utterance)
    uri = mlflow_store.resolve_tracking_uri(None, directory.parents[2])
    result = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, uri, run_id, str(tmp_path / "utterance.npy")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    phones, file, sweeper = result.stdout.splitlines()
    expected = Predictor.load(directory / "model").predict(utterance)
    assert phones.split() == [str(phone) for phone in expected]
    artifacts = directory.parents[2] / "artifacts"
    assert file.endswith("/model/code/framesweep/__init__.py")
    assert sweeper.endswith("/model/code/hydra_plugins/framesweep_sweeper/__init__.py")
    assert [p for p in artifacts.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt")] == []


def test_a_run_has_exactly_one_model_with_its_latest_weights(trained):
    directory, run_id, client = trained

    def models():
        return [m.model_id for m in client.search_logged_models(["1"])]

    first = models()
    with _same_run(trained) as tracker:
        tracker.log_model(directory / "model", 6)
    assert models() == first
    side = directory / "model" / "predictor.json"
    side.write_text(side.read_text() + "\n")
    with _same_run(trained) as tracker:
        tracker.log_model(directory / "model", 6)
    assert len(models()) == 1
    assert models() != first
    mlflow.pyfunc.load_model(f"runs:/{run_id}/model")


def test_an_incomplete_model_is_replaced(trained):
    directory, _, client = trained
    (ready,) = client.search_logged_models(["1"])
    client.delete_logged_model(ready.model_id)
    half = client.create_logged_model("1", "model", trained[1])
    with _same_run(trained) as tracker:
        tracker.log_model(directory / "model", 6)
    (model,) = client.search_logged_models(["1"])
    assert model.model_id != half.model_id
    assert str(model.status).endswith("READY")
