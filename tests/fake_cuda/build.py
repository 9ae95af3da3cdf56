"""Builds the library that a torch without CUDA needs for fake CUDA tensors."""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("guard.cpp")


def find_compiler() -> str | None:
    """Return g++, or None where it is not installed."""
    return shutil.which("g++")


def build_guard(compiler: str) -> Path:
    """Return the library, which is compiled on first use and then kept in a temporary folder.

    Torch must not be imported yet, so its folder is found without it.
    """
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    torch = Path(spec.origin).parent
    version = importlib.metadata.version("torch")
    key = hashlib.sha256(SOURCE.read_bytes() + f"{version} {torch}".encode()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"framesweep-fake-cuda-{key}-{os.getuid()}.so"
    if library.exists():
        return library
    partial = library.with_suffix(f".{os.getpid()}.so")
    subprocess.run(
        [
            *(compiler, "-shared", "-fPIC", "-std=c++20", "-O0", f"-I{torch / 'include'}"),
            *(str(SOURCE), f"-L{torch / 'lib'}", "-ltorch_cpu", "-lc10"),
            *(f"-Wl,-rpath,{torch / 'lib'}", "-o", str(partial)),
        ],
        check=True,
        capture_output=True,
    )
    partial.replace(library)
    return library
