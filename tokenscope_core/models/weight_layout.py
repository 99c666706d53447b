"""How weights lie in memory: by columns where a processor multiplies one vector faster that way.

A decoded token reads every weight once, so that its time is that of reading memory, at best. Of a
matrix with more rows than columns, products by rows add up many short sums, and some libraries on
some processors then read at little more than half the speed of memory; by columns they do not. The
matrix is the same, and so are shapes, names and memory taken; sums differ by rounding. Which way is
faster is measured once a machine, and remembered: a model has one layout for as long as it is
loaded.
"""

from __future__ import annotations

import hashlib
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tokenscope_core.caching import cache
from tokenscope_core.models.files.json_records import read_record, records_folder, write_record

# Beyond any cache of a processor that decodes models, and still soon measured.
_MEASURED_BYTES = 96 * 1024 * 1024
_ROUNDS = 5
# Less than this is not worth the time that laying them out takes.
_WORTH_IT = 0.88
# Smaller ones stay in the cache from token to token.
_LEAST_BYTES = 16 * 1024 * 1024
_MOST_RECORDS = 64


def lay_out(model: PreTrainedModel) -> int:
    """Let the matrices of a model in float32 on the CPU lie as they are multiplied fastest.

    Returns how many were laid out anew. Quantised weights and other precisions are left alone.
    """
    matrices = list(_wide(model))
    if sum(weight.nbytes for weight in matrices) < _LEAST_BYTES:
        return 0
    shapes = {tuple(weight.shape) for weight in matrices}
    chosen = {shape for shape in shapes if by_columns(shape[0], shape[1], torch.get_num_threads())}
    laid_out = [weight for weight in matrices if tuple(weight.shape) in chosen]
    for weight in laid_out:
        weight.data = weight.data.t().contiguous().t()
    return len(laid_out)


def _wide(model: PreTrainedModel) -> Iterator[torch.Tensor]:
    """The weights of linear layers that have more rows than columns, each once."""
    seen = set()
    for module in model.modules():
        if type(module) is not torch.nn.Linear or id(module.weight) in seen:
            continue
        weight = module.weight
        seen.add(id(weight))
        plain = type(weight) is torch.nn.Parameter and weight.is_contiguous()
        if (
            plain
            and weight.device.type == "cpu"
            and weight.dtype == torch.float32
            and weight.shape[0] > weight.shape[1]
        ):
            yield weight


@cache
def by_columns(rows: int, columns: int, threads: int) -> bool:
    """Whether this machine multiplies a float32 vector faster by a matrix [rows, columns] that lies
    by columns."""
    machine = {
        "torch": torch.__version__, "processor": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(), "name": _processor(), "shape": [rows, columns],
        "threads": threads,
    }  # fmt: skip
    key = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()
    path = records_folder("layouts") / f"{key}.json"
    known = read_record(path)
    if known is not None and isinstance(known.get("by_columns"), bool):
        return bool(known["by_columns"])
    ratio = _ratio(rows, columns)
    write_record(path, {"by_columns": ratio < _WORTH_IT, "ratio": ratio}, most=_MOST_RECORDS)
    return ratio < _WORTH_IT


@torch.inference_mode()
def _ratio(rows: int, columns: int) -> float:
    """Time of products by columns over that by rows, CPU time of both in turn, the median."""
    count = max(1, _MEASURED_BYTES // (4 * rows * columns))
    matrices = [torch.full((rows, columns), 0.5) for _ in range(count)]
    vector = torch.full((1, columns), 0.5)
    standing = [matrix.view(columns, rows).t() for matrix in matrices]

    def multiply(those: list[torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            for matrix in those:
                torch.nn.functional.linear(vector, matrix)

        return run

    ratios = []
    for _ in range(_ROUNDS):
        lying, upright = (_cpu(multiply(those)) for those in (matrices, standing))
        ratios.append(upright / lying)
    return statistics.median(ratios)


def _cpu(run: Callable[[], None]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next((line for line in lines if line.startswith("model name")), "").strip()
    except OSError:
        return platform.processor()
