"""The loops use the widest vectors, unless the user has said what to use."""

import pytest

from framesweep.kernels import compilation


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The features of a processor with wide vectors, and numba as nobody has set it up."""
    found = {"avx512f": True, "avx2": True}

    class Features(dict[str, bool]):
        def flatten(self) -> str:
            return ",".join(f"{'+' if has else '-'}{name}" for name, has in self.items())

    monkeypatch.setattr(compilation.binding, "get_host_cpu_features", lambda: Features(found))
    monkeypatch.setattr(compilation.config, "CPU_FEATURES", None)
    monkeypatch.setattr(compilation.config, "CPU_NAME", None)
    monkeypatch.setattr(compilation.config, "ENABLE_AVX", 1)
    return found


def test_a_processor_with_wide_vectors_uses_them(features: dict[str, bool]) -> None:
    compilation.prefer_widest()
    assert compilation.config.CPU_FEATURES == "+avx512f,+avx2,-prefer-256-bit"


def test_other_processors_keep_what_llvm_chooses(features: dict[str, bool]) -> None:
    features["avx512f"] = False
    compilation.prefer_widest()
    assert compilation.config.CPU_FEATURES is None


@pytest.mark.parametrize(
    ("name", "value"), [("CPU_FEATURES", "+avx2"), ("CPU_NAME", "generic"), ("ENABLE_AVX", 0)]
)
def test_what_the_user_has_set_remains(
    features: dict[str, bool], monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(compilation.config, name, value)
    before = compilation.config.CPU_FEATURES
    compilation.prefer_widest()
    assert before == compilation.config.CPU_FEATURES
