"""What loading a model costs over transformers' own: `python -m benchmarks.loading [FOLDER]`.

CPU time, all sides in one process in alternating order. transformers maps a file of weights into
memory and reads nothing of it until a first pass; TokenScope reads it (`weights_in_memory` says
why). Hence three baselines: the model mapped, the model and its tokenizer with the weights read in
the same way, and that with a first pass over nine tokens. A model of a construction that was met
before takes what is remembered of it; the first one is tried on a small copy.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from tokenscope_core import load_model
from tokenscope_core.models.files.json_records import records_folder
from tokenscope_core.models.files.names import SHIPPED_FOLDER
from tokenscope_core.models.trial import findings
from tokenscope_core.models.trial.records import TrialRecords
from tokenscope_core.models.weights_in_memory import reading_weights

TARGET = 1.5


def main() -> None:
    """Print the medians, and the ratios run by run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(SHIPPED_FOLDER), help="of the model")
    parser.add_argument("--repeat", type=int, default=7, help="times each side is run")
    given = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = scratch
        sides: dict[str, Callable[[], object]] = {
            "mapped": lambda: AutoModelForCausalLM.from_pretrained(given.folder),
            "read": lambda: _plain(given.folder),
            "read and run": lambda: _plain(given.folder)(torch.arange(9).unsqueeze(0)),
            "first": lambda: _first(given.folder),
            "known": lambda: load_model(given.folder),
        }
        timed: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(given.repeat + 1):
            for side in list(sides)[:: -1 if number % 2 else 1]:
                seconds = _cpu(sides[side])
                if number:
                    timed[side].append(seconds)
    for side, runs in timed.items():
        print(f"{side}: {statistics.median(runs):.2f} s CPU, median of {len(runs)}")
    for ours in ("first", "known"):
        for plain in ("mapped", "read", "read and run"):
            pairs = zip(timed[ours], timed[plain], strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"{ours} / {plain}: {ratio:.2f} (target {TARGET}, of what is read)")


def _plain(folder: str) -> transformers.PreTrainedModel:
    with reading_weights():
        model: transformers.PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    AutoTokenizer.from_pretrained(folder)
    return model


def _first(folder: str) -> object:
    findings._records = TrialRecords()
    for record in records_folder("trials").glob("*.json"):
        record.unlink()
    return load_model(folder)


def _cpu(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    main()
