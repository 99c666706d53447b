"""How often hindsight is right for a model: reads the functions, writes the table.

    python -m benchmarks.hindsight --model FOLDER --human-eval FILE --quixbugs FILE

The results of single functions are kept in a file of lines, so that a run that was stopped goes
on where it was; `--table` writes the table from them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

import torch

from benchmarks.hindsight.cases import natural, seeded
from benchmarks.hindsight.reading import read
from benchmarks.hindsight.table import table_of, write_table
from tokenscope_core import load_model

SEED = 0


def main() -> None:
    """Read what is not read yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="a folder or name; default: the shipped model")
    parser.add_argument("--dtype", default="float32", help="float32 or bfloat16")
    parser.add_argument("--human-eval", type=Path, default=os.environ.get("TOKENSCOPE_HUMAN_EVAL"))
    parser.add_argument("--quixbugs", type=Path, default=os.environ.get("TOKENSCOPE_QUIXBUGS"))
    parser.add_argument("--seeded", type=int, default=150, help="how many bugs to put in")
    parser.add_argument("--thorough", type=int, default=60, help="functions read in full as well")
    parser.add_argument("--most", type=int, help="functions read this time; default: all")
    parser.add_argument("--results", type=Path, required=True, help="a file of lines, kept")
    parser.add_argument("--table", type=Path, help="write the calibration table of these results")
    given = parser.parse_args()
    lm = load_model(given.model, dtype=getattr(torch, given.dtype))
    cases = list(seeded(given.human_eval, given.seeded, SEED))
    random.Random(SEED).shuffle(cases)
    cases = [*(natural(given.quixbugs) if given.quixbugs else ()), *cases]
    given.results.touch()
    rows = [json.loads(line) for line in given.results.read_text().splitlines()]
    done = {(row["function"], row["text"]) for row in rows}
    due = [case for case in cases if (case.function, case.text) not in done]
    with given.results.open("a") as out:
        for case in due[: given.most]:
            rows.append(read(lm, case, thoroughly=len(rows) < given.thorough))
            out.write(json.dumps(rows[-1]) + "\n")
            out.flush()
            print(f"{len(rows)} of {len(cases)}: {case.source} {case.function}", flush=True)
    table = table_of(rows, lm, given, of=len(cases))
    print(json.dumps(table, indent=1))
    if given.table:
        write_table(given.table, table)


if __name__ == "__main__":
    main()
