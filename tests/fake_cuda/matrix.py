"""The configs whose steps are traced."""

from typing import NamedTuple

from framesweep.bench.gpu.cases import FALLING_SCHEDULES
from framesweep.system.hardware import Precision


class Case(NamedTuple):
    """A config, by its overrides, and a precision; and whether the order is traced entirely."""

    name: str
    overrides: str
    precision: Precision = "bf16"
    all_walks: bool = False

    def arguments(self) -> list[str]:
        """Return the overrides one by one."""
        plain = [] if "recipe=" in self.overrides else PLAIN
        return [*SMALL, *plain, *self.overrides.split()]


SMALL = ["train.batch_size=512", "data.context=25"]
"""Before all overrides: the batch, of which the test corpus has several, and the context."""

PLAIN = ["model=base", "optim=adam", "optim.schedule=constant", "optim.label_smoothing=0"]
"""Before the overrides of every case but recipes: the plainest step, to which a case adds."""

NETWORKS = [
    Case("base", "model=base", all_walks=True),
    Case("deep", "model=deep"),
    Case("conv", "model=conv"),
    Case("tdnn", "model=tdnn train.batch_size=128"),
    Case("layer norm", "model=base model.norm=layer"),
    Case("no norm", "model=base model.norm=none"),
    Case("residual", "model=base model.residual=true"),
    *(
        Case(name, f"model=base model.activation={name}")
        for name in ("gelu", "silu", "leaky_relu")
    ),
    Case("recipe hw1p2", "recipe=hw1p2 train.batch_size=512"),
]
TRAINING = [
    Case("adamw, clipped", "model=base optim=adamw optim.clip_norm=1.0"),
    Case("sgd", "model=base optim=sgd"),
    Case("muon", "model=deep optim=muon"),
    *(Case(name, f"model=base optim.schedule={name}") for name in FALLING_SCHEDULES),
    Case("loss", "model=base optim.class_weights=inverse optim.label_smoothing=0.1"),
    Case("ema", "model=base train.average=ema"),
    Case("swa", "model=base train.average=swa train.average_from=0.0"),
]
AUGMENTATIONS = [
    *(
        Case(name, f"model=base augment=specaugment augment.{name}={value}")
        for name, value in (("shift", "1"), ("gain", "0.1"), ("noise", "0.1"), ("tempo", "0.1"))
    ),
    Case(
        "tdnn augmented",
        "model=tdnn train.batch_size=128 augment=specaugment augment.tempo=0.1 augment.shift=1",
    ),
]
PRECISIONS = [
    Case("base in fp16", "model=base", "fp16"),
    Case("sgd in fp16", "model=base optim=sgd", "fp16"),
    Case("muon in fp16", "model=deep optim=muon", "fp16"),
    Case("conv in fp16, clipped", "model=conv optim=adamw optim.clip_norm=1.0", "fp16"),
    Case("tdnn in fp16", "model=tdnn train.batch_size=128", "fp16"),
    Case("recipe hw1p2 in fp16", "recipe=hw1p2 train.batch_size=512", "fp16"),
    Case("base in fp32", "model=base", "fp32"),
    Case("tdnn in tf32", "model=tdnn train.batch_size=128", "tf32"),
]
CASES = [*NETWORKS, *TRAINING, *AUGMENTATIONS, *PRECISIONS]
EVALUATED = [NETWORKS[0], next(case for case in NETWORKS if case.name == "tdnn")]
"""Networks that read windows, and stretches of neighboring frames."""
