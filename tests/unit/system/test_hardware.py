"""The choice of device, precision and threads, for machines that torch is made to report."""

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import options
from framesweep.config import HardwareConfig
from framesweep.errors import ConfigError
from framesweep.system.hardware import Hardware, Precision, resolve_hardware


@pytest.fixture(autouse=True)
def _restore_torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)


class Machine:
    """Makes torch report a machine with or without accelerators and processor flags."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch
        self.has(cuda=False, mps=False)
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is restored afterwards
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")

    def has(self, *, cuda: bool, mps: bool, xpu: bool = False) -> None:
        self.patch.setattr(torch.cuda, "is_available", lambda: cuda)
        self.patch.setattr(torch.backends.mps, "is_available", lambda: mps)
        self.patch.setattr(torch.xpu, "is_available", lambda: xpu)

    def intel_gpu(self, *, bf16: bool, fp64: bool) -> None:
        self.has(cuda=False, mps=False, xpu=True)
        self.patch.setattr(torch.xpu, "is_bf16_supported", lambda: bf16)
        properties = SimpleNamespace(has_fp64=fp64)
        self.patch.setattr(torch.xpu, "get_device_properties", lambda: properties)

    def gpu(self, *, bf16: bool, capability: tuple[int, int]) -> None:
        self.has(cuda=True, mps=False)
        self.patch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
        self.patch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        # A torch that was built for CUDA has kernels for newer GPUs only.
        self.patch.setattr(torch.cuda, "get_arch_list", list)

    def flags(self, *names: str) -> None:
        flags = dict.fromkeys(names, True)
        self.patch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"), (True, True, "cuda")],
)
def test_auto_takes_the_first_available_device(
    machine: Machine, cuda: bool, mps: bool, expected: str
) -> None:
    machine.gpu(bf16=True, capability=(8, 0))
    machine.has(cuda=cuda, mps=mps)
    machine.patch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: True)
    found = resolve_hardware(HardwareConfig())
    assert found.device.type == expected
    assert found.sum_dtype == (torch.float32 if expected == "mps" else torch.float64)


@pytest.mark.parametrize("device", ["cuda", "mps", "xpu"])
def test_a_device_that_the_machine_lacks_is_refused(machine: Machine, device: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve_hardware(HardwareConfig(device=device))
    assert str(raised.value) == (
        "hardware.device: must be a device of this machine that this build of torch can use; "
        f"found '{device}'. Use hardware=auto or hardware=cpu."
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), "fp32"),
        (("avx2", "avx512_f"), "fp32"),
        (("avx512_f", "avx512_bf16"), "bf16"),
        (("amx_bf16",), "bf16"),
        (("neon", "bf16"), "bf16"),
    ],
)
def test_auto_precision_on_a_cpu(
    machine: Machine, flags: tuple[str, ...], expected: str
) -> None:
    machine.flags(*flags)
    assert resolve_hardware(HardwareConfig()).precision == expected
    assert resolve_hardware(HardwareConfig(precision="bf16")).precision == "bf16"
    assert resolve_hardware(HardwareConfig(precision="fp32")).precision == "fp32"
    with pytest.raises(
        ConfigError, match=r"hardware.precision.* bf16 fp32 on this cpu.*'fp16'"
    ):
        resolve_hardware(HardwareConfig(precision="fp16"))


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "expected"),
    [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")],
)
def test_auto_precision_on_a_cpu_with_a_torch_that_lists_no_flags(
    monkeypatch: pytest.MonkeyPatch, avx512_bf16: bool, amx: bool, expected: str
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    config = HardwareConfig(device="cpu")
    assert resolve_hardware(config).precision == expected


@pytest.mark.parametrize(
    ("bf16", "capability", "expected", "able"),
    [
        (True, (8, 0), "bf16", {"bf16", "fp16", "tf32", "fp32"}),
        (False, (7, 5), "fp16", {"fp16", "fp32"}),
        (False, (6, 1), "fp32", {"fp16", "fp32"}),
    ],
)
def test_precision_on_cuda(
    machine: Machine, bf16: bool, capability: tuple[int, int], expected: str, able: set[str]
) -> None:
    machine.gpu(bf16=bf16, capability=capability)
    assert resolve_hardware(HardwareConfig()).precision == expected
    for precision in ("bf16", "fp16", "tf32", "fp32"):
        config = HardwareConfig(precision=precision)
        if precision in able:
            assert resolve_hardware(config).precision == precision
        else:
            with pytest.raises(ConfigError, match="on this cuda"):
                resolve_hardware(config)


def test_tf32_rounds_the_factors_of_products_and_fp32_does_not(machine: Machine) -> None:
    machine.gpu(bf16=True, capability=(8, 0))
    try:
        choices: list[tuple[Precision, str]] = [("tf32", "high"), ("fp32", "highest")]
        for precision, products in choices:
            found = resolve_hardware(HardwareConfig(precision=precision))
            assert torch.get_float32_matmul_precision() == products
            assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")
            assert found.input_dtype == torch.float32
            assert found.scaler_state() == {}
            assert not found.autocast()._enabled
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True


def test_tf32_is_refused_where_the_device_is_no_gpu() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve_hardware(HardwareConfig(device="cpu", precision="tf32"))
    assert "hardware.precision: must be one of auto" in str(raised.value)
    assert "on this cpu; found 'tf32'. Use hardware.precision=auto." in str(raised.value)


def test_a_cuda_graph_is_refused_where_the_device_is_no_gpu() -> None:
    for allowed in ("auto", False):
        config = HardwareConfig(device="cpu", cuda_graph=allowed)
        assert resolve_hardware(config).cuda_graph == allowed
    with pytest.raises(ConfigError) as raised:
        resolve_hardware(HardwareConfig(device="cpu", cuda_graph=True))
    assert str(raised.value) == (
        "hardware.cuda_graph: must be auto or false on this cpu; found True. "
        "Use hardware.cuda_graph=auto."
    )


@pytest.mark.parametrize("new_enough", [False, True])
def test_precision_on_mps(machine: Machine, new_enough: bool) -> None:
    machine.has(cuda=False, mps=True)
    machine.patch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: new_enough)
    assert resolve_hardware(HardwareConfig()).precision == "fp32"
    if new_enough:
        assert resolve_hardware(HardwareConfig(precision="bf16")).precision == "bf16"
    else:
        with pytest.raises(ConfigError, match="on this mps"):
            resolve_hardware(HardwareConfig(precision="bf16"))
    with pytest.raises(ConfigError, match="on this mps"):
        resolve_hardware(HardwareConfig(precision="fp16"))


@pytest.mark.parametrize("bf16", [False, True])
def test_precision_on_xpu(machine: Machine, bf16: bool) -> None:
    machine.intel_gpu(bf16=bf16, fp64=not bf16)
    found = resolve_hardware(HardwareConfig())
    assert (found.device.type, found.precision) == ("xpu", "fp32")
    assert found.sum_dtype == (torch.float32 if bf16 else torch.float64)
    for precision in ("bf16", "fp16"):
        config = HardwareConfig(device="xpu", precision=precision)
        if precision == "bf16" and bf16:
            assert resolve_hardware(config).input_dtype == torch.bfloat16
        else:
            with pytest.raises(ConfigError, match="on this xpu"):
                resolve_hardware(config)


def test_an_accelerator_is_made_deterministic(machine: Machine) -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    resolve_hardware(HardwareConfig(device="cpu"))
    assert not torch.are_deterministic_algorithms_enabled()
    machine.gpu(bf16=True, capability=(9, 0))
    resolve_hardware(HardwareConfig())
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    deterministic: Any = torch.utils.deterministic
    assert not deterministic.fill_uninitialized_memory
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_autocast_multiplies_in_the_precision() -> None:
    x, layer = torch.randn(4, 8), nn.Linear(8, 8)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with resolve_hardware(HardwareConfig(device="cpu", precision=precision)).autocast():  # type: ignore[arg-type]
            assert layer(x).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_a_step_without_a_scaler_is_the_plain_step() -> None:
    found = resolve_hardware(HardwareConfig(device="cpu", precision="bf16"))
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    found.backward(weight.square().sum())
    found.unscale(optimizer)
    found.step(optimizer)
    assert weight.tolist() == [0.0, 0.0]
    assert found.scaler_state() == {}
    found.load_scaler_state({})


def test_fp16_scales_gradients_and_skips_an_overflow() -> None:
    """The gradient scale of CUDA's fp16, driven on a CPU tensor."""
    found = Hardware(torch.device("cpu"), "fp16", threads=1, compile=False)
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    found.backward(weight.square().sum())
    assert weight.grad is not None
    assert weight.grad.item() == 2.0 * 65536
    found.unscale(optimizer)
    assert weight.grad.item() == 2.0
    found.step(optimizer)
    assert weight.item() == 0.0
    before = found.scaler_state()
    weight.grad = None
    found.backward((weight * float("inf")).sum())
    found.step(optimizer)
    assert weight.item() == 0.0
    assert found.scaler_state()["scale"] == before["scale"] / 2
    again = Hardware(torch.device("cpu"), "fp16", threads=1, compile=False)
    again.load_scaler_state(found.scaler_state())
    assert again.scaler_state() == found.scaler_state()


def test_threads_are_those_of_the_config_the_environment_or_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert resolve_hardware(HardwareConfig(device="cpu", threads=1)).threads == 1
    assert torch.get_num_threads() == 1
    cores = resolve_hardware(HardwareConfig(device="cpu")).threads
    assert 1 <= cores <= (os.cpu_count() or 1)
    assert torch.get_num_threads() == cores
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert resolve_hardware(HardwareConfig(device="cpu")).threads == 1
    assert resolve_hardware(HardwareConfig(device="cpu", threads=2)).threads == 2


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match=r"hardware.compile: must find a C\+\+ compiler"):
        resolve_hardware(HardwareConfig(device="cpu", compile=True))


@pytest.mark.parametrize("missing", ["triton", "compiler"])
def test_compiling_for_a_gpu_requires_triton_and_a_c_compiler(
    machine: Machine, missing: str
) -> None:
    machine.gpu(bf16=True, capability=(8, 0))
    is_here = {"triton": True, "gcc": True, "cc": True, "clang": True}
    machine.patch.setattr("importlib.util.find_spec", lambda name: is_here[name] or None)
    machine.patch.setattr("shutil.which", lambda name: name if is_here.get(name) else None)
    machine.patch.setenv("CC", "gcc")
    assert resolve_hardware(HardwareConfig(compile=True)).compile
    absent = ["triton"] if missing == "triton" else ["gcc", "cc", "clang"]
    is_here.update(dict.fromkeys(absent, False))
    with pytest.raises(
        ConfigError, match=r"hardware.compile: must find Triton and a C compiler"
    ):
        resolve_hardware(HardwareConfig(compile=True))


def test_every_option_names_its_device(machine: Machine) -> None:
    assert options.names("hardware") == ["auto", "cpu", "cuda", "mps", "xpu"]
    for option in options.names("hardware"):
        assert options.build("hardware", option).device == option
