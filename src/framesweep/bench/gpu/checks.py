"""Checks of one process: the results of a GPU are right, and no step waits for it."""

import torch

from framesweep.bench.gpu.budget import NotApplicableError, Result
from framesweep.bench.gpu.cases import Setup, Values
from framesweep.bench.gpu.steps import flat_weights, take_steps

TOLERANCE = 1e-3
"""Largest relative difference between the updates of two devices in float32."""
COMPARED_STEPS = 3
WATCHED_STEPS, REHEARSED_STEPS = 20, 2
WARM_STEPS = 4
"""Steps before the watched ones, in which memory is allocated and a graph is recorded."""
OVERFLOWING_SCALE = 2.0**60
"""A gradient scale at which every gradient overflows in float16."""


def compare_with_cpu(setup: Setup, name: str) -> Result:
    """Compare the weights after a few steps in fp32 with those that a CPU computes."""
    updates = []
    for device in ("cpu", setup.device):
        experiment = setup.build(
            f"{name}, exact",
            {
                "hardware.device": device,
                "hardware.precision": "fp32",
                # Two threads, so that a rehearsal on the CPU compares two things as well.
                "hardware.threads": 2 if device == "cpu" else 1,
            },
        )
        before = flat_weights(experiment)
        take_steps(experiment, COMPARED_STEPS)
        updates.append(flat_weights(experiment) - before)
    expected, found = updates
    difference = float((found - expected).norm() / expected.norm())
    return {"ok": difference <= TOLERANCE, "relative difference": difference}


def watch_for_waits(setup: Setup, name: str, values: Values | None = None) -> Result:
    """Let torch raise an error where a step waits for the GPU."""
    if values and not setup.is_cuda:
        raise NotApplicableError("a rehearsal takes only eager steps")
    experiment = setup.build(name, values)
    last = WARM_STEPS + (WATCHED_STEPS if setup.is_cuda else REHEARSED_STEPS)

    def watch(taken: int) -> None:
        if setup.is_cuda and taken in (WARM_STEPS, last):
            torch.cuda.set_sync_debug_mode("error" if taken == WARM_STEPS else "default")

    try:
        # One step more, as the loop reads its sums before it stops.
        take_steps(experiment, last + 1, watch)
    finally:
        if setup.is_cuda:
            torch.cuda.set_sync_debug_mode("default")
    finite = bool(flat_weights(experiment).isfinite().all())
    return {"ok": finite, "note": "" if finite else "the weights are not finite"}


def overflow_in_fp16(setup: Setup, name: str) -> Result:
    """Check that steps whose gradients overflow change no weight, and that later ones do."""
    if not setup.is_cuda:
        raise NotApplicableError("the CPU has no fp16 training")
    experiment = setup.build(name, {"hardware.precision": "fp16"})
    hardware = experiment.components.hardware
    state = hardware.scaler_state()
    hardware.load_scaler_state({**state, "scale": OVERFLOWING_SCALE})
    before = flat_weights(experiment)
    unchanged = []

    def compare(taken: int) -> None:
        if taken <= 2:
            unchanged.append(torch.equal(flat_weights(experiment), before))

    take_steps(experiment, 100, compare)
    after = flat_weights(experiment)
    learned = bool(after.isfinite().all()) and not torch.equal(after, before)
    return {
        "ok": all(unchanged) and learned,
        "scale": hardware.scaler_state()["scale"],
        "note": f"unchanged by overflows: {all(unchanged)}, trained afterwards: {learned}",
    }


def stream_the_store(setup: Setup, name: str) -> Result:
    """Compare training on streamed features, bit for bit, with training on those in memory."""
    weights = []
    order = {} if name == "tdnn" else {"train.order": "windows", "train.window_frames": 2048}
    for limit in (None, 1e-4):
        experiment = setup.build(name, {**order, "hardware.max_store_gib": limit})
        take_steps(experiment, 30 if setup.is_cuda else 3)
        weights.append(flat_weights(experiment))
        experiment.evaluate(experiment.dev)
    same = torch.equal(*weights)
    return {"ok": same, "note": "the same bits" if same else "other weights"}
