"""Traces the training step of each config on a GPU, and prints a table or writes JSON.

PYTHONPATH=tests python -m fake_cuda                  print a table
PYTHONPATH=tests python -m fake_cuda RESULTS.json     write all details
PYTHONPATH=tests python -m fake_cuda --update         set the ceilings of operations
"""

import ctypes
import gc
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from fake_cuda.build import build_guard, find_compiler

CEILINGS = Path(__file__).with_name("ceilings.json")
"""The most operations per step of each config. The numbers should only ever fall."""
OFFENCES, EVALUATION = "offences", "evaluation of"
"""Name of the result of what a step must not do, and begin of the names of evaluations."""


def main() -> None:
    """Trace all cases."""
    compiler = find_compiler()
    if compiler is None:
        sys.exit("g++ is not installed")
    ctypes.CDLL(str(build_guard(compiler)), mode=ctypes.RTLD_GLOBAL)  # before torch
    gc.disable()  # it crashes on fake tensors with gradients, and little memory is needed
    warnings.simplefilter("ignore")
    import torch

    from fake_cuda.experiment import (
        trace_evaluation,
        trace_offences,
        trace_steps,
        write_corpus,
    )
    from fake_cuda.matrix import CASES, EVALUATED

    torch.set_num_threads(1)
    results = {OFFENCES: _describe([trace_offences()] * 2)}
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus")
        for case in CASES:
            results[case.name] = _describe(trace_steps(case, corpus))
        for case in EVALUATED:
            traces = trace_evaluation(case, corpus)
            results[f"{EVALUATION} {case.name}"] = _describe(traces)
    _report(results, sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # the end of the interpreter collects garbage, too


def _describe(traces: list[Any]) -> dict[str, Any]:
    """Return what all steps did that they must not do, and what the last one did."""
    recorded = [trace.numbers[trace.recordable] for trace in traces[-2:]]
    pairs = zip(*recorded, strict=True)
    last = traces[-1]
    return {
        "operations": last.num_kernels,
        "recorded": len(recorded[-1]),
        "reads": sorted({read for trace in traces for read in trace.reads}),
        "copies": sorted({copy for trace in traces for copy in trace.copies}),
        "on_cpu": sorted({name for trace in traces for name in trace.on_cpu}),
        "changing": [f"{before} -> {after}" for before, after in pairs if before != after],
        "bytes": last.bytes,
        "flops": last.flops,
        "by_name": dict(last.kernels.most_common()),
    }


def _report(results: dict[str, dict[str, Any]], arguments: list[str]) -> None:
    if arguments == ["--update"]:
        ceilings = {k: v["operations"] for k, v in results.items() if k != OFFENCES}
        CEILINGS.write_text(json.dumps(ceilings, indent=1) + "\n", encoding="utf-8")
    elif arguments:
        Path(arguments[0]).write_text(json.dumps(results, indent=1), encoding="utf-8")
    else:
        _print_table(results)


def _print_table(results: dict[str, dict[str, Any]]) -> None:
    print(f"{'config':28}{'ops':>5}{'reads':>6}{'copies':>7}{'CPU':>4}{'MB':>7}{'GFLOP':>7}")
    for name, result in results.items():
        reads, copies, on_cpu = (len(result[key]) for key in ("reads", "copies", "on_cpu"))
        print(
            f"{name:28}{result['operations']:5}{reads:6}{copies:7}{on_cpu:4}"
            f"{result['bytes'] / 1e6:7.1f}{result['flops'] / 1e9:7.2f}"
        )


if __name__ == "__main__":
    main()
