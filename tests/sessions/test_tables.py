"""The tree of a session as a table."""

from __future__ import annotations

import pandas as pd
import pytest
from made_sessions import DEEPER, ELSE, ROOT, WHILE, grown
from made_traces import END, forked

from tokenscope_core.sessions.session import Session
from tokenscope_core.sessions.tables import tree_frame


@pytest.fixture
def session() -> Session:
    return grown()


def test_the_tree_is_a_table_in_the_order_of_a_walk(session: Session) -> None:
    traces = {trace.key: trace for trace in (ROOT, WHILE, DEEPER, ELSE)}
    frame = tree_frame(session, traces)
    assert frame["key"].tolist() == list(session.walk())
    assert frame["depth"].tolist() == [0, 1, 2, 1]
    assert frame["fork_position"].tolist()[1:] == [0, 2, 3]
    assert frame["shared_prefix"].tolist()[1:] == [0, 2, 3]
    assert frame["forced"].tolist() == ["", "while", " y", " pass"]
    assert frame["tokens"].tolist() == [5, 3, 3, 4]
    assert frame["generated_tokens"].tolist() == [3, 1, 1, 2]
    assert frame["total_logprob"].tolist() == [-3.0, -1.0, -1.0, -2.0]
    assert frame["finish_reason"].tolist() == ["length"] * 4
    assert frame["selected"].tolist() == [False, False, False, True]


def test_a_branch_that_takes_the_same_token_shares_more_than_its_fork() -> None:
    same = forked(ROOT, 1, [" x"], [":", " y"])
    session = Session.start(ROOT).add(same)
    frame = tree_frame(session, {ROOT.key: ROOT, same.key: same})
    assert (frame["fork_position"][1], frame["shared_prefix"][1]) == (1, 3)


def test_what_a_missing_trace_would_say_is_missing_from_the_tree(session: Session) -> None:
    frame = tree_frame(session, {})
    assert frame["name"].tolist()[0] == "original"
    assert frame["fork_position"].tolist()[1:] == [0, 2, 3], "which the recipe says"
    assert frame[["tokens", "mean_surprisal", "finish_reason", "forced"]].isna().all(axis=None)
    partly = tree_frame(session, {WHILE.key: WHILE})
    assert pd.isna(partly["shared_prefix"][1])
    assert partly["tokens"][1] == 3


def test_a_special_token_that_was_forced_is_named_in_the_tree() -> None:
    ended = forked(ROOT, 2, [END])
    frame = tree_frame(Session.start(ROOT).add(ended), {ended.key: ended})
    assert frame["forced"][1] == END
