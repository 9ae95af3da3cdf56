from pathlib import Path

import pytest
import torch

from framesweep.system import processor
from framesweep.system.processor import find_user_cache, name_processor


@pytest.fixture(autouse=True)
def no_cache():
    name_processor.cache_clear()
    yield
    name_processor.cache_clear()


def test_the_name_has_the_model_and_the_widest_instructions(tmp_path, monkeypatch) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Other\n")
    monkeypatch.setattr(processor, "CPU_INFO", info)
    flags = {"avx2": True, "avx512_bf16": True, "amx_bf16": False, "sse": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert name_processor() == "Some CPU @ 2 GHz (avx512_bf16, avx2)"


def test_without_cpuinfo_the_architecture_is_the_name(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "absent")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert name_processor() == "arm64"


@pytest.mark.parametrize(
    ("system", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/given/framesweep"),
        ("linux", None, "/home/me/.cache/framesweep"),
        ("darwin", None, "/home/me/Library/Caches/framesweep"),
        ("win32", "LOCALAPPDATA", "/given/framesweep"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    monkeypatch, system, variable, expected
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, "/given")
    assert find_user_cache() == Path(expected)
