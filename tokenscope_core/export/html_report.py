"""A session as one HTML page that opens anywhere, without a network.

The page holds its style, its program and its data, and nothing else: a content security policy
with the hashes of the first two forbids the browser to load or to run anything more. The data are
JSON in which no `<` occurs; the page shows texts as text nodes only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenscope_core.caching import cache
from tokenscope_core.display.painting import PaintedToken, strip_lines
from tokenscope_core.display.ramp import ramp_css
from tokenscope_core.display.style import STRIP_CSS
from tokenscope_core.display.tokens import tokens
from tokenscope_core.display.visible import visible_text
from tokenscope_core.record.arrays import KEPT, NOT_DRAWN, Floats
from tokenscope_core.record.metric_registry import METRICS
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session

_FOLDER = Path(__file__).parent / "report_page"
_SOURCES = {"prompt": "p", "sampled": "s", "forced": "f"}
_SIGNIFICANT_DIGITS = 5


def report(source: Session | Trace, traces: Iterable[Trace] = (), *, title: str = "") -> bytes:
    """The page, in UTF-8. Figures in it are rounded to five significant digits.

    Args:
        source: the session, or a single trace.
        traces: those of its branches that are at hand; of the others only the recipe is shown.
        title: of the page; by default the name of the root.
    """
    session = _alone(source) if isinstance(source, Trace) else source
    at_hand = [source] if isinstance(source, Trace) else traces
    known = {trace.key: trace for trace in at_hand if trace.key in session}
    data = json.dumps(_data(session, known, title), ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    style, program = STRIP_CSS + ramp_css() + _part("page.css"), _part("page.js")
    strips = "".join(
        f'<template id="strip{place}">{_strip(known[key])}</template>'
        for place, key in enumerate(session.walk())
        if key in known
    )
    parts = {
        "STYLE_HASH": _hash(style), "SCRIPT_HASH": _hash(program),
        "STYLE": style, "SCRIPT": program, "DATA": data, "STRIPS": strips,
    }  # fmt: skip
    # In one pass: what is put in may look like a place, too.
    page = re.sub(r"\{\{([A-Z_]+)\}\}", lambda place: parts[place[1]], _part("page.html"))
    return page.encode("utf-8")


def _strip(trace: Trace) -> str:
    """The strip without tints and figures, which depend on what is chosen on the page."""
    texts, flags = tokens(trace, show_bytes=False)
    painted = (
        PaintedToken(position, text, flag, level=0, tip="")
        for position, (text, flag) in enumerate(zip(texts, flags, strict=True))
    )
    return strip_lines(painted, first_line=trace.first_line)


def _alone(trace: Trace) -> Session:
    if trace.branch is None:
        return Session.start(trace)
    # Shown by itself, a branch is the root of its own tree.
    whole = Branch(trace.key, trace.request, "a branch")
    return Session(trace.model, (whole,), trace.key)


@cache
def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _data(session: Session, traces: dict[str, Trace], title: str) -> dict[str, Any]:
    words: dict[tuple[bytes, bool], int] = {}
    place = {key: index for index, key in enumerate(session.walk())}
    branches = []
    for key in place:
        branch = session.branch(key)
        recipe: dict[str, Any] = {"request": branch.request.to_json()}
        if branch.edit is not None:
            recipe |= {"parent": branch.parent, "edit": branch.edit.to_json()}
        branches.append(
            {
                "key": key,
                "name": visible_text(branch.name.encode("utf-8")),
                "note": branch.note,
                "colour": branch.colour,
                "depth": len(session.path_to(key)) - 1,
                "parent": place[branch.parent] if branch.parent else None,
                "fork": branch.edit.position if branch.edit else None,
                "recipe": json.dumps(recipe, ensure_ascii=False, indent=1),
                "trace": _trace_data(traces[key], words) if key in traces else None,
            }
        )
    return {
        "title": visible_text((title or session.root.name).encode("utf-8", "replace")),
        "model": session.model.name,
        "fingerprint": session.model.fingerprint,
        "vocabularySize": session.model.vocabulary_size,
        "current": place[session.current],
        "metrics": [
            {
                "name": metric.name,
                "label": metric.label,
                "unit": metric.unit,
                "formula": metric.formula,
                "meaning": metric.meaning,
                # Not at all and fully; where it is signed, the tint grows to both sides of 0.
                "tint": metric.tint_ends,
                "root": metric.root,
                "signed": metric.strong == "both",
            }
            for metric in METRICS
        ],
        "words": [[visible_text(spelled), special] for spelled, special in words],
        "branches": branches,
    }


def _trace_data(trace: Trace, words: dict[tuple[bytes, bool], int]) -> dict[str, Any]:
    table, special = trace.vocabulary.token_bytes, trace.vocabulary.special_ids

    def word(token_id: int) -> int:
        if token_id < 0:
            return -1
        return words.setdefault((table[token_id], token_id in special), len(words))

    return {
        "promptLength": trace.prompt_length,
        "finish": trace.finish_reason,
        "words": [word(i) for i in trace.token_ids.tolist()],
        "ids": trace.token_ids.tolist(),
        "sources": "".join(_SOURCES[source] for source in trace.source.tolist()),
        "metrics": {metric.name: _rounded(trace.column(metric.name)) for metric in METRICS},
        "width": trace.candidate_ids.shape[1],
        "candidates": [word(i) for i in trace.candidate_ids.ravel().tolist()],
        "logprobs": _rounded(trace.candidate_logprobs.ravel()),
        "kept": _kept(trace.candidate_kept.ravel().tolist()),
    }


def _kept(values: Sequence[int]) -> str:
    """A character a candidate: it could have been drawn, a filter had removed it, not drawn."""
    return "".join("-" if value == NOT_DRAWN else str(int(value == KEPT)) for value in values)


def _rounded(values: Floats) -> list[float | None]:
    return [
        float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
        for value in values.tolist()
    ]
