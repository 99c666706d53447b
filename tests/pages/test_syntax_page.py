"""The page of syntax in each of its states."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.judging.structure import mark_frame
from tokenscope_core.syntax.time_budget import Budget
from tokenscope_ui.server.server import service
from tokenscope_ui.syntax_view import reading
from tokenscope_ui.syntax_view.state import SyntaxState
from tokenscope_ui.trace.code_standing import STANDING_WORDS

App = Any
PAGE = "pages/syntax.py"
PROMPT = "def add(a, b):\n"
CODE = PROMPT + "    total = a + b  # <b>é👋</b>\n    return totals\n"
ANSWER = "Here it is:\n\n```python\nx = = 1\n```\n\nand\n\n```js\nlet y = 2;\n```\n"


def traced(text: str, prompt: str = "") -> Trace:
    pieces = words(text)
    return trace_of(pieces, prompt=len(words(prompt)), candidates=[[piece] for piece in pieces])


@pytest.fixture
def page(app: App) -> App:
    app.test.switch_page(PAGE)
    return app


def shown(page: App, trace: Trace) -> App:
    service().store.put(trace)
    return page.open(run=trace.key)


def frame(page: App, column: str) -> Any:
    return next(t.value for t in page.test.dataframe if column in t.value)


def choose(page: App, **values: object) -> App:
    for name, value in values.items():
        page.test.session_state[name] = value
    return page.run()


def test_without_a_trace_the_page_says_how_to_begin(page: App) -> None:
    page.open()
    assert "Nothing to read yet" in page.texts


def test_an_unknown_address_is_explained(page: App) -> None:
    page.open(run="feedface")
    assert "This server does not hold it" in page.texts


def test_the_table_is_the_aggregate_of_the_core_in_either_unit(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    expected = ts.aggregate(trace, by="category", metric="surprisal")
    table = frame(page, "category")
    assert table["category"].tolist() == expected["category"].tolist()
    in_bits = expected["mean"].to_numpy() / NATS_PER_BIT
    np.testing.assert_allclose(table["mean surprisal (bits)"], in_bits)
    np.testing.assert_allclose(table["tokens"], expected["n"])
    assert set(table["remark"]) == {"thin"}
    choose(page, unit="nats")
    table = frame(page, "category")
    np.testing.assert_allclose(table["mean surprisal (nats)"], expected["mean"])
    np.testing.assert_allclose(table["95 % from"], expected["ci_low"])


@pytest.mark.parametrize("level", ["leaf", "statement", "scope", "line", "function"])
def test_every_level_can_be_shown_and_seen_in_the_code(page: App, level: str) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    choose(page, syntax_level=level, syntax_kind="part")
    expected = ts.aggregate(trace, by=level, metric="surprisal")  # type: ignore[arg-type]
    table = frame(page, "remark")
    np.testing.assert_allclose(table["tokens"], expected["n"])
    assert level in table.columns


@pytest.mark.parametrize("metric", ["prob", "rank", "typicality", "varentropy", "elapsed_ms"])
def test_every_metric_can_be_averaged(page: App, metric: str) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    choose(page, metric=metric, scale="relative")
    means = ts.aggregate(trace, by="category", metric=metric)["mean"].to_numpy()
    assert len(frame(page, "category")) == len(means)


def test_the_least_sure_come_first_whichever_way_the_metric_points(page: App) -> None:
    shown(page, traced(CODE, PROMPT))
    assert frame(page, "code").iloc[:, 0].is_monotonic_decreasing
    choose(page, metric="prob")
    assert frame(page, "code").iloc[:, 0].is_monotonic_increasing
    assert frame(page, "category").iloc[:, 2].is_monotonic_increasing


def test_prompt_tokens_count_only_when_asked(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    assert frame(page, "code")["code"].tolist() != []
    assert PROMPT.strip() not in frame(page, "code")["code"].tolist()
    choose(page, syntax_prompt=True)
    assert PROMPT.strip() in frame(page, "code")["code"].tolist()
    assert frame(page, "category")["tokens"].sum() == pytest.approx(len(trace))


def test_a_text_is_compared_with_its_prompt(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    assert "tokens there" not in frame(page, "category").columns
    choose(page, syntax_with="prompt", unit="nats", syntax_prompt=True)
    expected = ts.aggregate_difference(
        trace, trace, "category", "surprisal", counted_a="prompt"
    ).set_index("category")  # fmt: skip
    table = frame(page, "category").set_index("category")
    assert set(table.index) == set(expected.index)
    expected = expected.reindex(table.index)
    np.testing.assert_allclose(table["mean surprisal (nats)"], expected["mean_b"])
    np.testing.assert_allclose(table["mean there"], expected["mean_a"])
    np.testing.assert_allclose(table["difference"], expected["difference"])
    np.testing.assert_allclose(table["difference, 95 % from"], expected["ci_low"])
    # What one side does not have is said to be missing there, and is no zero.
    assert table.loc["function name", "remark"] == "only there"
    assert np.isnan(table.loc["function name", "mean surprisal (nats)"])
    assert table.loc["comment", "remark"] == "only here"
    assert np.isnan(table.loc["comment", "difference"])
    assert page.test.query_params["with"] in ("prompt", ["prompt"])
    choose(page, syntax_level="line")
    assert "Lines of two texts have nothing to do with each other" in page.texts


@pytest.fixture
def branches(page: App) -> tuple[Trace, Trace]:
    """A run and a branch of it, in the store and in a tree of the name "tree"."""
    root = traced(CODE, PROMPT)
    edit = ts.Edit(len(words(PROMPT)) + 1, (3,))
    child = dataclasses.replace(
        traced(PROMPT + "    return a * b\n", PROMPT), branch=(root.key, edit)
    )
    store = service().store
    for trace in (root, child):
        store.put(trace)
    store.put_session("tree", ts.Session.start(root).add(child, parent=root).to_bytes())
    return root, child


def test_a_branch_is_compared_with_another_as_the_address_says(
    page: App, branches: tuple[Trace, Trace]
) -> None:
    root, child = branches
    page.open(session="tree", run=child.key, **{"with": root.key})
    expected = ts.aggregate_difference(root, child, "category", "surprisal").set_index("category")
    table = frame(page, "category").set_index("category")
    found = table["difference"] * NATS_PER_BIT
    # The store keeps float32.
    np.testing.assert_allclose(found, expected["difference"].reindex(table.index), rtol=1e-5)
    assert "generated token" in page.texts
    choose(page, syntax_with="")
    assert "difference" not in frame(page, "category").columns
    assert "with" not in page.test.query_params


def test_an_address_that_names_no_branch_to_compare_with_is_explained(page: App) -> None:
    trace = traced(CODE, PROMPT)
    service().store.put(trace)
    page.open(run=trace.key, **{"with": "feedface"})
    assert "the session does not hold" in page.texts
    assert len(frame(page, "category"))


def test_a_node_of_the_tree_is_shown_with_its_figures_and_tokens(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    nodes = ts.icicle_frame(trace, "surprisal")
    row = nodes[nodes["kind"] == "return_statement"].iloc[0]
    span = (int(row["byte_start"]), int(row["byte_end"]))
    choose(page, syntax=SyntaxState(trace.key, span[0], node=span))
    assert "Return statement, line 3" in page.texts
    shown_mean = next(m.value for m in page.test.metric if m.label == "mean")
    assert shown_mean == f"{row['mean'] / NATS_PER_BIT:.3f} bits"
    assert frame(page, "here")["here"].iloc[-1] == 100


def test_of_a_text_that_was_only_scored_all_tokens_count(page: App) -> None:
    trace = traced(CODE, CODE)
    shown(page, trace)
    assert "over all tokens (nothing was generated)" in page.texts
    assert frame(page, "category")["tokens"].sum() == pytest.approx(len(trace), abs=1)
    assert page.test.toggle(key="syntax_prompt").disabled


def test_an_interval_is_said_to_be_for_this_text(page: App) -> None:
    shown(page, traced(CODE, PROMPT))
    assert "95 % interval for this text" in page.texts


def test_statements_hold_every_counted_token_once(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    table = frame(page, "code")
    assert table["tokens"].sum() == pytest.approx(len(trace) - trace.prompt_length)
    lines = dict(zip(table["code"], table["line"], strict=True))
    assert lines["total = a + b"] == 2
    assert lines["# <b>é👋</b>"] == 2
    assert lines["return totals"] == 3


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (CODE, STANDING_WORDS["complete"]),
        ("def f(a):\n    return (a", STANDING_WORDS["unfinished"]),
        ("def f(a):\n", STANDING_WORDS["unfinished"]),
        ("x = = 1\n", "nothing that could follow makes it valid"),
    ],
)
def test_valid_unfinished_and_broken_code_are_told_apart(
    page: App, text: str, verdict: str
) -> None:
    shown(page, traced(text, text[:3]))
    assert verdict in page.texts


def test_the_token_at_which_code_broke_can_be_looked_at(page: App) -> None:
    broken = traced("x = 1\ny = = 2\nz = 3\n", "x")
    shown(page, broken)
    position = 9  # the second `=`
    assert f"broke at token {position}" in page.texts
    assert "(`=`, line 2)" in page.texts
    assert "cannot be parsed" in frame(page, "what")["what"].tolist()[0]
    page.test.button(key="syntax decode verdict 0").click()
    page.run()
    assert page.state.selected == position


def test_names_that_nothing_defines_are_listed_with_how_sure_that_is(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    marks = mark_frame(trace)
    names = frame(page, "how sure")
    assert names["name"].tolist() == ["totals"]
    assert names["how sure"].tolist() == marks["certainty"].tolist()
    choose(page, syntax_language="javascript")
    assert "Looked for in Python only" in page.texts


def test_other_languages_are_detected_and_can_be_changed(page: App) -> None:
    text = "function add(a, b) {\n  const c = a + b;\n  return c;\n}\n"
    shown(page, traced(text, "function"))
    assert "Read as JavaScript" in page.texts
    choose(page, syntax_language="rust")
    assert "Rust: " in page.texts


def test_answers_are_judged_by_each_piece_of_fenced_code(page: App) -> None:
    shown(page, traced(ANSWER, "Here"))
    assert "Markdown: prose with fenced code: likely" in page.texts
    assert "Python from line 4 on: **broke" in page.texts
    assert "JavaScript from line 10 on: **valid as it is" in page.texts
    assert "prose" in frame(page, "category")["category"].tolist()
    choose(page, syntax_level="language", syntax_kind="part")
    assert "javascript" in frame(page, "remark")["language"].tolist()


def test_prose_without_code_has_nothing_to_judge(page: App) -> None:
    shown(page, traced("Dear reader, all is well.\n", "Dear"))
    choose(page, syntax_language="markdown")
    assert "nothing to judge" in page.texts


@pytest.mark.parametrize(
    "pieces",
    [
        [b"x", b" =", b" '\xf0\x9f", b"\x91\x8b'", b"\n"],
        [b"x = '", b"\xff\xfe", b"</script><img src=x onerror=alert(1)>'", b"\xf0\x9f"],
        [b"a", b"\r\n", b"\tb", b"\r\n"],
        [b"\n", b"\n"],
        [b"x"],
    ],
)
def test_any_bytes_can_be_shown(page: App, pieces: list[bytes]) -> None:
    shown(page, trace_of(pieces, prompt=0))
    for kind in reading.KINDS:
        choose(page, syntax_kind=kind)


def test_a_trace_without_text_is_shown(page: App) -> None:
    trace = trace_of([b"", b""], special=frozenset({0, 1}))
    shown(page, trace)
    for kind in reading.KINDS:
        choose(page, syntax_kind=kind)


def test_a_selected_piece_has_its_figures_and_tokens_and_a_way_to_decode(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    at = CODE.encode().index(b"return")
    choose(page, syntax=state_of(trace, at))
    assert "Statement 4 of 4, line 3" in page.texts
    tokens = frame(page, "here")
    positions = tokens["position"].tolist()
    assert b"return" in b"".join(
        trace.vocabulary.token_bytes[int(trace.token_ids[p])] for p in positions
    )
    np.testing.assert_allclose(tokens["value"], trace.surprisal[positions] / NATS_PER_BIT)
    page.test.button(key="syntax decode piece").click()
    page.run()
    assert page.state.selected == max(positions, key=lambda p: trace.surprisal[p])


def state_of(trace: Trace, byte: int) -> object:

    return SyntaxState(trace.key, byte)


def test_walking_goes_over_the_places_of_a_part(page: App) -> None:
    trace = traced(CODE, PROMPT)
    shown(page, trace)
    choose(page, syntax=state_of(trace, CODE.encode().index(b"return")), syntax_kind="part")
    assert "category: keyword" in page.texts
    assert "Place 2 of 2, line 3" in page.texts
    page.test.button(key="icon syntax previous piece").click()
    assert "Place 1 of 2, line 1" in page.run().texts
    page.test.button(key="icon syntax no piece").click()
    assert "Place" not in page.run().texts


def test_a_run_generated_on_decode_is_what_the_page_shows(app: App) -> None:
    app.open().generate()
    key = app.state.trace.key
    app.test.switch_page(PAGE)
    app.run()
    assert app.test.query_params["run"] in (key, [key])
    assert app.test.dataframe


def test_a_metric_that_no_token_has_is_said_to_be_missing(page: App) -> None:
    pieces = words(CODE)
    shown(page, trace_of(pieces, entropy=np.full(len(pieces), np.nan)))
    choose(page, metric="entropy")
    assert "No token that counts has a value of entropy" in page.texts


def test_code_that_takes_too_long_is_said_to_be_unread(
    page: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "of", lambda _: Budget(0.0))
    shown(page, traced(CODE + "\n\nslow = 1\n", PROMPT))
    assert not page.test.exception
    assert "not judged: reading it took too long" in page.texts
    warnings = [box.value for box in page.test.warning]
    assert any("The parser gave up on the code from line 1 on" in text for text in warnings)
    assert "Not looked for: the code takes too long to read." in page.texts
    assert "Everything parses." not in page.texts


def test_many_fences_are_judged_in_a_table(page: App) -> None:
    shown(page, traced("```python\nx = 1\n```\n" * 19 + "```python\nx = = 1\n```\n"))
    assert "20 stretches of code" in page.texts
    assert "19 valid as it is, 1 broke here" in page.texts
    table = frame(page, "verdict")
    assert table["verdict"].tolist() == ["valid as it is"] * 19 + ["broke here"]
    assert table["line"].iloc[-1] == 59
