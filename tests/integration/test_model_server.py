"""MLflow's scoring server answers every kind of request to a logged model."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import pytest
import soundfile
from mlflow.pyfunc import scoring_server

from audio_model import RATE, make_tones, write_model
from framesweep.config.composition import register
from framesweep.evaluation.served_model import ServedModel
from framesweep.tracking import mlflow_store, register_winner
from framesweep.tracking.models.mlflow_model import save_model
from servers import free_port, mlflow_server, start_daemon, wait_until

register()

COLUMNS = {"utterance", "phone", "id", "start_s", "end_s", "posterior"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a model of audio, and the MLflow model that was made of it."""
    folder = tmp_path_factory.mktemp("run")
    write_model(folder / "model")
    save_model(folder / "saved", folder / "model")
    return folder / "model", folder / "saved"


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "a.wav"
    soundfile.write(path, make_tones(0.3), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def post(saved):
    """Sends a request to the application of the server, and returns status and answer."""
    application = scoring_server.init(mlflow.pyfunc.load_model(str(saved[1])))
    return lambda content: asyncio.run(call(application, json.dumps(content).encode()))


async def call(application, body):
    """Call an ASGI application as a web server does; return the status and the parsed body."""
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1"},
        **{"method": "POST", "scheme": "http", "path": "/invocations", "query_string": b""},
        "headers": [(b"content-type", b"application/json")],
    }
    requests = [{"type": "http.request", "body": body, "more_body": False}]
    sent = []

    async def receive():
        if requests:
            return requests.pop()
        return await asyncio.Event().wait()  # the client stays

    async def send(message):
        sent.append(message)

    await application(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(content)


def payloads(path, features):
    """Requests for the same utterances in all formats of the server, by kind of input."""
    samples, rows = make_tones(0.3).tolist(), features.tolist()
    numbered = list(range(features.shape[1]))
    of_samples = {"samples": samples, "sample_rate": RATE}
    return {
        "path": [
            {"inputs": str(path)},
            {"inputs": [str(path)]},
            {"inputs": {"path": str(path)}},
            {"inputs": [{"path": str(path)}]},
            {"instances": [str(path)]},
            {"instances": [{"path": str(path)}]},
            {"dataframe_split": {"columns": ["path"], "data": [[str(path)]]}},
            {"dataframe_records": [{"path": str(path)}]},
        ],
        "samples": [
            {"inputs": samples, "params": {"sample_rate": RATE}},
            {"inputs": of_samples},
            {"inputs": [of_samples]},
            {"instances": samples, "params": {"sample_rate": RATE}},
            {"instances": [of_samples]},
            {
                "dataframe_split": {
                    "columns": ["samples", "sample_rate"],
                    "data": [[samples, RATE]],
                }
            },
            {"dataframe_records": [of_samples]},
        ],
        "features": [
            {"inputs": rows},
            {"inputs": {"features": rows}},
            {"instances": rows},
            {"instances": [{"features": rows}]},
            {"dataframe_split": {"columns": numbered, "data": rows}},
            {"dataframe_split": {"columns": ["features"], "data": [[rows]]}},
        ],
    }


@pytest.mark.parametrize("kind", ["path", "samples", "features"])
def test_every_format_of_a_request_gets_the_same_answer(kind, post, saved, audio):
    model = ServedModel.load(saved[0])
    features = model._labeller.decode(audio).features
    inputs = {"path": str(audio), "features": features}
    inputs["samples"] = {"samples": make_tones(0.3), "sample_rate": RATE}
    expected = model.predict(inputs[kind], {})
    for content in payloads(audio, features)[kind]:
        status, answer = post(content)
        assert status == 200, (content, answer)
        rows = answer["predictions"]
        assert set(rows[0]) == COLUMNS
        assert [row["phone"] for row in rows] == expected["phone"]
        assert [row["end_s"] for row in rows] == pytest.approx(expected["end_s"])
        assert [row["posterior"] for row in rows] == pytest.approx(expected["posterior"])


def test_params_reach_the_model(post, audio):
    frames = post({"inputs": str(audio), "params": {"frames": True}})[1]["predictions"]
    assert [row["start_s"] for row in frames] == sorted({row["start_s"] for row in frames})
    assert len(frames) == 28  # windows of 25 ms every 10 ms in 0.3 s


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"inputs": "/gone.wav"}, "/gone.wav: must exist"),
        ({"inputs": [[1.0, 2.0]]}, "utterance: must have 40 features per frame; found 2"),
        ({"instances": [[1.0, 2.0]]}, "utterance: must have 40 features per frame; found 2"),
        ({"inputs": [0.1, 0.2]}, "samples: must come with their sample_rate in Hz"),
        (
            {"dataframe_split": {"columns": ["file"], "data": [["a.wav"]]}},
            "a.wav: must exist",
        ),
    ],
)
def test_an_error_of_one_line_reaches_the_client(content, line, post):
    status, answer = post(content)
    assert status == 400
    assert set(answer) == {"error_code", "message"}
    assert answer["message"] == line


def send(url, content):
    request = urllib.request.Request(
        url,
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.heavy
def test_mlflow_models_serve_labels_recordings(saved, audio, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", str(saved[1]), "--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # with uvicorn, for MLflow
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    log = tmp_path / "log"
    process = start_daemon(command, log, env=environment, cwd=tmp_path)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ping", timeout=5):
            return True
        return False

    try:
        wait_until(answers, process, log)
        features = ServedModel.load(saved[0])._labeller.decode(audio).features
        for contents in payloads(audio, features).values():
            for content in contents:
                status, answer = send(f"{url}/invocations", content)
                assert (status, set(answer["predictions"][0])) == (200, COLUMNS)
        status, answer = send(f"{url}/invocations", {"inputs": "/gone.wav"})
        assert (status, answer["message"]) == (400, "/gone.wav: must exist")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


WITHOUT_HYDRA = """
import sys
sys.modules["hydra"] = None
import mlflow
mlflow.set_tracking_uri("http://127.0.0.1:9")  # where nobody answers
model = mlflow.pyfunc.load_model(sys.argv[1])
print(*model.predict(sys.argv[2])["phone"])
print(len(model.predict([[0.0] * 40] * 5, params={"frames": True})))
"""


def test_a_model_is_loaded_without_hydra_and_without_a_tracking_server(saved, audio, tmp_path):
    result = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_HYDRA, str(saved[1]), str(audio)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    phones, num_frames = result.stdout.splitlines()
    assert phones.split() == ServedModel.load(saved[0]).predict(str(audio), {})["phone"]
    assert num_frames == "5"


@pytest.mark.heavy
def test_a_model_is_registered_once_at_a_tracking_server(saved, audio, tmp_path):
    backend = f"sqlite:///{tmp_path}/server.db"
    with mlflow_server(tmp_path / "server", backend) as uri:
        client = mlflow_store.connect(uri, tmp_path)
        run_id = client.create_run(client.create_experiment("speech")).info.run_id
        for _ in range(2):
            version = register_winner(uri, tmp_path, run_id, saved[0].parent, "phones")
            assert version == "1"
        (found,) = client.search_model_versions("name = 'phones'")
        (model,) = client.search_logged_models(["1"])
        assert json.loads(model.tags["mlflow.modelVersions"]) == [
            {"name": "phones", "version": 1}
        ]
        best = client.get_model_version_by_alias("phones", "best")
        assert (found.run_id, best.version) == (run_id, found.version)
        mlflow.set_tracking_uri(uri)
        try:
            loaded = mlflow.pyfunc.load_model("models:/phones@best")
        finally:
            mlflow.set_tracking_uri(None)
    expected = ServedModel.load(saved[0]).predict(str(audio), {})
    assert loaded.predict(str(audio))["phone"].tolist() == expected["phone"]
