"""The wheel, installed on its own, finds its configs from any folder."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_wheel_trains_elsewhere(tmp_path, corpus):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels, site, elsewhere = (tmp_path / name for name in ("wheels", "site", "elsewhere"))
    elsewhere.mkdir()
    offline = ["--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "wheel", *offline, "-w", wheels, REPOSITORY], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--quiet", "--target", site, wheel], check=True
    )
    code = "from framesweep import cli; print(cli.__file__); cli.main()"
    arguments = ["train", "data=hw1p2", f"data.root={corpus}", "data.context=2"]
    arguments += ["model=small", "train.epochs=1", "tracking=none", "hardware.threads=1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout.splitlines()[0]
    assert list((elsewhere / "outputs" / "runs").glob("*/*/model/model.safetensors"))
