"""Where lanes lie, which colours they have, and what their figures say: no page, no browser."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from typing import Any

import numpy as np
import pytest
from made_traces import forked, made
from syntax_traces import trace_of
from syntax_traces import words as tokens_of

from tokenscope_core import Request, Session, Trace
from tokenscope_core.display.branch_palette import PALETTE
from tokenscope_core.sessions.branch import PALETTE_SIZE
from tokenscope_ui.branches import lanes, small_multiples
from tokenscope_ui.branches import table as branch_table
from tokenscope_ui.branches.panel import marked
from tokenscope_ui.branches.traces import figures
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.runs import session_changes
from tokenscope_ui.trace import code_standing

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "any": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
PAGE = {"light": "#FFFFFF", "dark": "#0E1117"}


def linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponents @ np.cbrt(cones @ np.clip(rgb, 0, 1))


def luminance(colour: str) -> float:
    return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_any_two_branches_are_told_apart_with_any_colour_vision(theme: str, vision: str) -> None:
    seen = [oklab(VISION[vision] @ linear(getattr(colour, theme))) for colour in PALETTE]
    assert len(seen) == PALETTE_SIZE
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.09


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_branch_stands_out_from_its_page(theme: str) -> None:
    for colour in PALETTE:
        low, high = sorted((luminance(getattr(colour, theme)), luminance(PAGE[theme])))
        assert (high + 0.05) / (low + 0.05) >= 3


def words(count: int, first: str = "w") -> list[str]:
    return [f"{first}{i}" for i in range(count)]


def tree_of(*traces: Trace) -> Session:
    session = Session.start(traces[0])
    for trace in traces[1:]:
        session = session.add(trace)
    return session


def drawn(session: Session, traces: list[Trace]) -> list[dict[str, Any]]:
    known = {trace.key: trace for trace in traces}
    frame = figures(session, known)
    blob = lanes.encode(session, frame, known, "bits")
    found: list[dict[str, Any]] = json.loads(blob)["lanes"]
    return found


def test_a_fork_in_what_the_parent_shares_leaves_the_lane_that_is_drawn_there() -> None:
    root = made(words(10))
    child = forked(root, 6, ["x"], words(3, "a"))
    early = forked(child, 3, ["y"], words(3, "b"))
    found = {lane["key"]: lane for lane in drawn(tree_of(root, child, early), [root, child, early])}
    assert found[early.key]["on"] == 0
    order = [root.key, child.key, early.key]
    parent_of_early = [*found][found[early.key]["to"][0]]
    assert parent_of_early == order[1], "a key still leads to what it grew on"


def test_no_connection_crosses_a_lane() -> None:
    chance = random.Random(0)
    traces = [made(words(40))]
    session = Session.start(traces[0])
    for number in range(60):
        parent = chance.choice(traces)
        position = chance.randrange(1, len(parent))
        trace = forked(parent, position, [f"x{number}"], words(chance.randrange(1, 20), "r"))
        session = session.add(trace)
        traces.append(trace)
    found = drawn(session, traces)
    assert sorted(lane["key"] for lane in found) == sorted(trace.key for trace in traces)
    for row, lane in enumerate(found):
        if lane["on"] is None:
            continue
        assert lane["on"] < row
        assert found[lane["on"]]["start"] <= lane["start"] <= found[lane["on"]]["end"]
        for between in found[lane["on"] + 1 : row]:
            assert not between["start"] < lane["start"] <= between["end"]


def test_a_branch_that_is_not_stored_is_drawn_from_its_fork() -> None:
    root = made(words(10))
    child = forked(root, 6, ["x"])
    _, lost = drawn(tree_of(root, child), [root])
    assert (lost["start"], lost["end"], lost["mark"]) == (6, None, "1 token put here")
    assert "not stored" in lost["figures"]


def test_the_table_puts_the_best_first_and_the_missing_last() -> None:
    root = made(words(6), surprisal=1.0)
    good = forked(root, 2, ["x"], ["x"])
    lost = forked(root, 3, ["y"])
    session = tree_of(root, lost, good)
    frame = figures(session, {trace.key: trace for trace in (root, good)})
    for sort in branch_table.SORTS:
        ordered = branch_table.ordered(frame, sort)["key"].tolist()
        assert sorted(ordered) == sorted(frame["key"])
        if sort == "order made":
            assert ordered == [root.key, lost.key, good.key]
        else:
            assert ordered[-1] == lost.key
    best = branch_table.ordered(frame, "sequence log-probability")["key"].tolist()[0]
    assert best == frame["total_logprob"].idxmax()


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("x = 1\n", "complete"),
        ("def f(a):\n", "unfinished"),
        ("x = (1,", "unfinished"),
        ("def f(a):\n    return a", "complete"),
        ("try:\n    pass\n", "unfinished"),
        ('s = """one\n', "unfinished"),
        ("def f():\n    x = )\n", "broken"),
        ("x = 1\n  y = 2\n", "broken"),
        ("", "complete"),
    ],
)
def test_code_is_valid_or_may_still_become_it_or_cannot(code: str, verdict: str) -> None:
    trace = dataclasses.replace(trace_of(tokens_of(code)), request=Request(code))
    assert code_standing.at_end(trace) == verdict


def test_what_differs_from_the_parent_is_marked() -> None:
    root = made(["a", "b", "c", "d"])
    child = forked(root, 1, ["x"], ["c", "e"])
    assert list(marked(child, root)) == [
        ("plain", b"a"),
        ("filled", b"x"),
        ("plain", b"c"),
        ("filled", b"e"),
    ]
    assert list(marked(child, None)) == [("plain", b"a"), ("filled", b"xce")]
    assert list(marked(root, None)) == [("plain", b"abcd")]


def test_steps_are_told_in_words_with_nothing_to_undo_at_the_beginning() -> None:
    root = made(words(5))
    child = forked(root, 2, ["x"])
    session = Session.start(root)
    assert session_changes.undo_words(session) is None
    session = session.add(child, parent=root).rename(child.key, "mine")
    assert session_changes.undo_words(session) == "renaming “‘w2’ → ‘x’ at 2” to “mine”"
    assert session_changes.undo_words(session.undo()) == "adding “‘w2’ → ‘x’ at 2”"
    assert session_changes.redo_words(session.undo()) == session_changes.undo_words(session)
    assert session_changes.undo_words(session.remove(child.key)) == "removing “mine”"
    assert session_changes.undo_words(session.note(child.key, "n")) == "the note on “mine”"
    assert session_changes.undo_words(session.colour(child.key, 5)) == "the colour of “mine”"


def test_small_multiples_begin_at_the_fork_and_carry_missing_values() -> None:
    root = made(words(5), surprisal=np.log(2))
    child = forked(root, 2, ["x"], ["y"])
    session = tree_of(root, child)
    rows = [(session.branch(t.key), t, float("nan")) for t in (root, child)]
    found = json.loads(small_multiples.encode(rows, "bits"))
    assert (found["first"], found["last"], found["high"]) == (
        0,
        5,
        pytest.approx(1 / np.log(2), abs=1e-4),
    )
    assert found["branches"][0]["values"] == [None, 1, 1, 1, 1]
    assert (found["branches"][1]["start"], found["branches"][1]["tokens"]) == (2, ["x", "y"])
    assert "not available" in found["branches"][0]["label"]


def test_nothing_in_a_name_is_markdown() -> None:
    assert as_markdown("*a* [b](c) :smile: $x$ <b>") == (r"\*a\* \[b\]\(c\) \:smile\: \$x\$ \<b\>")
