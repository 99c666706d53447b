"""Where the lanes of a tree lie: from a session and its figures to what the script draws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypedDict

import pandas as pd

from tokenscope_core import Session, Trace
from tokenscope_core.display.formatting import count_text
from tokenscope_core.display.scales import LogUnit
from tokenscope_core.sessions.session import Direction
from tokenscope_ui.branches.words import finish_text, mark_text, mean_text, standing_text

_DIRECTIONS: tuple[Direction, ...] = ("parent", "child", "previous", "next")


class Lane(TypedDict):
    """One branch.

    `start` to `end` are the token positions it is drawn over, `end` None where its trace is not
    stored; up to `prompt` it is prompt. `on` is the lane it leaves, as an index, None for the root.
    `figures` are as in the columns of the drawing, `spoken` is the same for a screen reader.
    `to` says which lanes lie in `_DIRECTIONS` of it, as indexes, itself where there is none.
    """

    key: str
    name: str
    note: bool
    colour: int
    level: int
    on: int | None
    start: int
    prompt: int
    end: int | None
    mark: str
    figures: list[str]
    spoken: str
    to: list[int]


def encode(
    session: Session,
    frame: pd.DataFrame,
    traces: Mapping[str, Trace],
    unit: LogUnit,
    *,
    absent: str = "not stored",
) -> bytes:
    """The lanes of a tree as JSON in UTF-8, the root's first.

    Args:
        session: the tree.
        frame: of `traces.figures`.
        traces: those at hand.
        unit: of the mean surprisal.
        absent: what is to be said of a branch whose trace is not at hand.
    """
    carriers = {branch.key: carrier(session, branch.key) for branch in session.branches}
    order = _order(session, carriers)
    index = {key: number for number, key in enumerate(order)}
    rows = frame.to_dict(orient="index")
    lanes = [_lane(session, rows[key], traces.get(key), unit, absent) for key in order]
    for lane, key in zip(lanes, order, strict=True):
        on = carriers[key]
        lane["on"] = None if on is None else index[on]
        lane["to"] = [index[session.neighbour(key, way)] for way in _DIRECTIONS]
    return json.dumps({"lanes": lanes, "unit": unit}, ensure_ascii=True).encode("ascii")


def carrier(session: Session, key: str) -> str | None:
    """The branch on whose lane the tokens before a fork are drawn; None for the root.

    The parent, unless the fork lies in what the parent itself shares with what it grew on.
    """
    branch = session.branch(key)
    if branch.parent is None or branch.edit is None:
        return None
    here = session.branch(branch.parent)
    while here.parent is not None and here.edit and here.edit.position >= branch.edit.position:
        here = session.branch(here.parent)
    return here.key


def _order(session: Session, carriers: Mapping[str, str | None]) -> list[str]:
    """All keys, each lane directly followed by those that leave it, the last to leave it first: no
    connection then crosses a lane."""
    leaving: dict[str | None, list[str]] = {}
    for branch in session.branches:
        leaving.setdefault(carriers[branch.key], []).append(branch.key)
    for keys in leaving.values():
        keys.sort(key=lambda key: -_fork(session, key))
    order: list[str] = []
    waiting = [session.root.key]
    while waiting:
        key = waiting.pop()
        order.append(key)
        waiting += reversed(leaving.get(key, ()))
    return order


def _fork(session: Session, key: str) -> int:
    edit = session.branch(key).edit
    return 0 if edit is None else edit.position


def _lane(
    session: Session, row: Mapping[Any, Any], trace: Trace | None, unit: LogUnit, absent: str
) -> Lane:
    branch = session.branch(row["key"])
    start = _fork(session, branch.key)
    if trace is None:
        figures, spoken = ["", "", absent, ""], f"its trace is {absent}"
    else:
        mean = mean_text(float(row["mean_surprisal"]), unit)
        ends, code = finish_text(trace.finish_reason), standing_text(row["standing"])
        figures = [f"{len(trace):,}", mean.removesuffix(f" {unit}"), ends, code]
        spoken = f"{count_text(len(trace), 'token')}, mean surprisal {mean}, ends {ends}, {code}"
    return Lane(
        key=branch.key,
        name=branch.name,
        note=bool(branch.note),
        colour=branch.colour,
        level=int(row["depth"]) + 1,
        on=None,
        start=start,
        prompt=max(start, trace.prompt_length) if trace is not None else start,
        end=None if trace is None else len(trace),
        mark=mark_text(branch.edit, trace),
        figures=figures,
        spoken=spoken,
        to=[],
    )
