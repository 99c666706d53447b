"""What a verb found, as a table, as CSV or as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokenscope_core.comparison.tables import overview, totals
from tokenscope_core.display.painting import painted_tokens
from tokenscope_core.display.terminal_strip import Palette, terminal_strip
from tokenscope_core.errors import RequestError
from tokenscope_core.export.tables import token_records
from tokenscope_core.record.tables import candidate_frame, token_frame
from tokenscope_core.record.trace import Trace
from tokenscope_core.shell.terminal import colour_depth, has_light_background, printable

_SHOWN = ["position", "token", "source", "prob", "surprisal", "entropy", "margin", "rank"]


def write_trace(trace: Trace, options: argparse.Namespace) -> None:
    """A trace's tokens or candidates, as `--table`, `--csv` and `--json` ask for it."""
    if options.table == "text" and (options.csv or options.json):
        raise RequestError(
            asked=f"The tinted text was asked for as {'CSV' if options.csv else 'JSON'}.",
            found="It is for people: only the tables have that form.",
            action="Leave out --table text, or the format.",
        )
    if options.json:
        write_json(_trace_json(trace))
        return
    if options.table == "text":
        _write_strip(trace, options)
        return
    frame = candidate_frame(trace) if options.table == "candidates" else token_frame(trace)
    if options.csv:
        write_text(frame.drop(columns="token_bytes").to_csv(index=False))
        return
    shown = frame if options.table == "candidates" else frame[_SHOWN]
    print_frame(shown.drop(columns="token_bytes", errors="ignore"))
    if options.table == "tokens" and _palette(options).depth != "none":
        _write_strip(trace, options)
    figures = totals(trace)
    known = not math.isnan(figures["perplexity"])
    over = f", perplexity {figures['perplexity']:.3f} over the {figures['span']} tokens"
    print(f"{printable(repr(trace))}{over if known else ''}; log quantities in nats")


def _write_strip(trace: Trace, options: argparse.Namespace) -> None:
    tokens, scale = painted_tokens(trace, options.tint, tips=False)
    sys.stdout.write(terminal_strip(tokens, scale, _palette(options)))


def _palette(options: argparse.Namespace) -> Palette:
    return Palette(
        colour_depth(options.color, sys.stdout, os.environ), has_light_background(os.environ)
    )


def print_frame(frame: pd.DataFrame, *, index: bool = False) -> None:
    """A table for people: four digits, a dash for what is missing, texts spelled out."""
    shown = frame.copy()
    for name in shown.columns:
        column = shown[name]
        # pandas takes `na_rep` for plain numbers only.
        if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "biuf":
            shown[name] = column.astype(object).map(_cell).where(column.notna(), "–")
    with pd.option_context("display.max_rows", None, "display.width", 200):
        print(shown.to_string(index=index, na_rep="–", float_format="{:.4f}".format))


def write_text(text: str) -> None:
    """Text that a program may read: as it is, but at a terminal with its controls spelled out."""
    if sys.stdout.isatty():
        text = "".join(map(_line_shown, text.splitlines(keepends=True)))
    sys.stdout.write(text)


def write_json(value: Mapping[str, Any]) -> None:
    """One JSON object, in ASCII: no terminal finds anything in it to obey."""
    print(json.dumps(value, allow_nan=False, indent=1))


def frame_json(frame: pd.DataFrame) -> dict[str, Any]:
    """A table's rows as objects, with the units of its columns; what is missing or infinite is
    null, since JSON has neither."""
    names = list(map(str, frame.columns))
    rows = [
        {name: _json_value(value) for name, value in zip(names, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    return {"units": frame.attrs.get("units", {}), "rows": rows}


def say(problems: Iterable[str]) -> None:
    """Notes on standard error, a line each."""
    for problem in problems:
        print(f"tokenscope: {printable(problem)}", file=sys.stderr)


def _trace_json(trace: Trace) -> dict[str, Any]:
    model = trace.model
    return {
        "key": trace.key,
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "vocabulary_size": model.vocabulary_size,
        },
        "prompt_length": trace.prompt_length,
        "totals": {name: _json_value(value) for name, value in totals(trace).items()},
        "units": token_frame(trace).attrs["units"] | overview([trace]).attrs["units"],
        "tokens": list(token_records(trace)),
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return list(value)
    if value is None or value is pd.NA:
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    return repr(value)[1:-1] if isinstance(value, str) else value


def _line_shown(line: str) -> str:
    text = line.rstrip("\r\n")
    return "\t".join(map(printable, text.split("\t"))) + "\n" * (len(text) < len(line))
