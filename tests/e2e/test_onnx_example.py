"""The documented script labels a recording with onnxruntime, without torch and framesweep."""

import re
import subprocess
import sys

import pytest
import soundfile

from audio_model import RATE, make_tones, write_model
from documents import REPOSITORY
from framesweep.config.composition import register
from framesweep.evaluation.export import export
from framesweep.evaluation.labeller import Labeller
from framesweep.evaluation.predictor import Predictor

register()

WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = sys.modules["framesweep"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0])
"""


@pytest.mark.heavy
@pytest.mark.parametrize(
    "overrides",
    [("data.normalize=utterance",), ("data.features=mfcc", "data.window_ms=20", "model=tdnn")],
)
def test_the_script_labels_as_framesweep_does(overrides, tmp_path):
    pytest.importorskip("onnxruntime")
    page = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(# label\.py.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "label.py").write_text(script)
    small = ("model.channels=8", "model.dilations=[1]") if "model=tdnn" in overrides else ()
    write_model(tmp_path / "model", *overrides, *small)
    export(Predictor.load(tmp_path / "model"), tmp_path / "model.onnx", "onnx")
    soundfile.write(tmp_path / "a.wav", make_tones(1.01), RATE, subtype="FLOAT")
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "label.py", "model.onnx", "a.wav"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    segments = Labeller.load(tmp_path / "model").label(tmp_path / "a.wav")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[2] for line in lines] == [segment.phone for segment in segments]
    for (start, end, _, posterior), segment in zip(lines, segments, strict=True):
        assert float(start) == pytest.approx(segment.start_s, abs=1e-4)
        assert float(end) == pytest.approx(segment.end_s, abs=1e-4)
        assert float(posterior) == pytest.approx(segment.posterior, abs=2e-4)
    assert len(segments) > 2
