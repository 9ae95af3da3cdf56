"""The loops use the widest vectors, unless the user has said what to use."""

import pytest

from framesweep.kernels import vectors


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The features of a processor with wide vectors, and numba as nobody has set it up."""
    found = {"avx512f": True, "avx2": True}

    class Features(dict[str, bool]):
        def flatten(self) -> str:
            return ",".join(f"{'+' if has else '-'}{name}" for name, has in self.items())

    monkeypatch.setattr(vectors.binding, "get_host_cpu_features", lambda: Features(found))
    monkeypatch.setattr(vectors.config, "CPU_FEATURES", None)
    monkeypatch.setattr(vectors.config, "CPU_NAME", None)
    monkeypatch.setattr(vectors.config, "ENABLE_AVX", 1)
    return found


def test_a_processor_with_wide_vectors_uses_them(features: dict[str, bool]) -> None:
    vectors.prefer_widest()
    assert vectors.config.CPU_FEATURES == "+avx512f,+avx2,-prefer-256-bit"


def test_other_processors_keep_what_llvm_chooses(features: dict[str, bool]) -> None:
    features["avx512f"] = False
    vectors.prefer_widest()
    assert vectors.config.CPU_FEATURES is None


@pytest.mark.parametrize(
    ("name", "value"), [("CPU_FEATURES", "+avx2"), ("CPU_NAME", "generic"), ("ENABLE_AVX", 0)]
)
def test_what_the_user_has_set_remains(
    features: dict[str, bool], monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(vectors.config, name, value)
    before = vectors.config.CPU_FEATURES
    vectors.prefer_widest()
    assert before == vectors.config.CPU_FEATURES
