"""The shell's verb on what the rest of a text says of its tokens: hindsight."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from tokenscope_core.branches.calibration import calibration_words
from tokenscope_core.branches.hindsight import (
    DEFAULT_GIVE_UP,
    DEFAULT_HORIZON,
    DEFAULT_TOP,
    Hindsight,
    hindsight,
)
from tokenscope_core.branches.marks import DEFAULT_THRESHOLD, marks
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.shell.arguments import add_format, add_verb
from tokenscope_core.shell.model import model_of
from tokenscope_core.shell.output import frame_json, print_frame, write_json, write_text
from tokenscope_core.syntax.program import Program


def add_hindsight_verb(verbs: Any) -> None:
    """Add `hindsight` to a parser's verbs."""
    verb = add_verb(
        verbs, "hindsight", _hindsight, "the few places of a saved trace that are worth a look",
        "run.arrow",
        "run.arrow --everywhere --thorough --csv > alternatives.csv",
    )  # fmt: skip
    verb.add_argument("trace", help="a file written with --out")
    verb.add_argument("--model", help="as of generate; default: the one it came from")
    verb.add_argument("--top", type=int, default=DEFAULT_TOP, help="alternatives a position")
    verb.add_argument(
        "--horizon", type=int, default=DEFAULT_HORIZON, help="tokens of the rest that are read"
    )
    verb.add_argument(
        "--everywhere", action="store_true",
        help="at every token, definition names, docstrings and comments among them; default: at "
        "those of the code that are more surprising than expected",
    )  # fmt: skip
    verb.add_argument(
        "--thorough", action="store_true", help="read all to the horizon, give nothing up early"
    )
    verb.add_argument("--language", help="that the text is read in; default: its own")
    add_format(verb)


def _hindsight(options: argparse.Namespace) -> None:
    trace = Trace.from_bytes(Path(options.trace).read_bytes())
    found = hindsight(
        model_of(trace, options.model),
        trace,
        "all" if options.everywhere else None,
        top=options.top,
        horizon=options.horizon,
        give_up=None if options.thorough else DEFAULT_GIVE_UP,
        language=options.language,
    )
    rows = _with_texts(trace, found.frame())
    if options.csv:
        write_text(rows.to_csv(index=False))
        return
    places = _places(Program(trace, options.language), found, prose=options.everywhere)
    words = calibration_words(trace.model, DEFAULT_THRESHOLD)
    if options.json:
        whole, marked = frame_json(rows), frame_json(places)
        write_json(
            {
                "askable": found.askable,
                "asked": len(found.asked),
                "units": whole["units"],
                "marks": marked["rows"],
                "alternatives": whole["rows"],
                "calibration": words,
            }
        )
        return
    if places.empty:
        print(f"Nothing stands out: no log-odds of {DEFAULT_THRESHOLD:g} nats or more.")
    else:
        print_frame(places)
    print(
        f"Looked at {len(found.asked):,} of {found.askable:,} tokens, {len(found.position):,} "
        f"alternatives, {len(found.given_up):,} given up early; nats, the rest up to "
        f"{found.horizon:,} tokens."
    )
    print(words)


def _with_texts(trace: Trace, frame: pd.DataFrame) -> pd.DataFrame:
    for name in ("token", "alternative"):
        texts = map(trace.vocabulary.label, frame[f"{name}_id"].tolist())
        frame.insert(
            frame.columns.tolist().index(f"{name}_id") + 1, name, pd.Series(texts, dtype="str")
        )
    return with_units(frame)


def _places(program: Program, found: Hindsight, *, prose: bool) -> pd.DataFrame:
    trace = program.trace
    label = trace.vocabulary.label
    columns = ["line", "position", "token", "alternative", "choice", "rest", "log_odds"]
    rows = [
        (
            mark.line,
            mark.position,
            label(int(trace.token_ids[mark.position])),
            label(mark.alternative_id),
            mark.choice,
            mark.rest,
            mark.log_odds,
        )
        for mark in marks(program, found, prose=prose)
    ]
    return with_units(pd.DataFrame(rows, columns=columns))
