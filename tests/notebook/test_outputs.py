"""Values show themselves in a notebook: bounded, escaped, and without anything to load or run."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core.notebook.fragments import MOST_TOKENS
from tokenscope_core.notebook.sessions import MOST_BRANCHES

EVIL = "</style></div><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e"
ROOT = made(["def", " f", "(", EVIL, ")"], prompt_length=2)
CHILD = forked(ROOT, 3, [" x"], [")"])
TREE = ts.Session.start(ROOT).add(CHILD, parent=ROOT).note(CHILD.key, EVIL).rename(ROOT.key, EVIL)


def attention_of(size: int, layers: int = 1, heads: int = 1) -> ts.AttentionMap:
    """All rows on the first token."""
    weights = np.zeros((layers, heads, size, size), dtype=np.float32)
    weights[..., 0] = 1.0
    return ts.AttentionMap(
        weights, tuple(range(layers)), tuple(range(heads)), np.arange(size, dtype=np.int64)
    )


def shown(value: object) -> str:
    html = value._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(html, str)
    return html


def without_style(html: str) -> str:
    return re.sub("<style>.*?</style>", "", html, count=1, flags=re.DOTALL)


@pytest.mark.parametrize("value", [ROOT, TREE, ts.compare(ROOT, CHILD), attention_of(4)])
def test_an_output_loads_and_runs_nothing_and_escapes_all_texts(value: object) -> None:
    html = shown(value)
    assert html.count("<style>") == html.count("</style>") == 1
    body = without_style(html)
    tags = set(re.findall(r"<([a-z0-9]+)", body))
    assert tags <= {
        "div", "span", "b", "code", "h4", "table", "thead", "tbody", "tr", "th", "td", "figure",
        "figcaption", "svg", "g", "path", "rect", "text",
    }  # fmt: skip
    assert not re.search(r"https?:|url\(|@import|\son\w+=\"|javascript:", html)
    assert not {"\x1b", "\u202e"} & set(html)


def test_a_trace_shows_its_strip_figures_and_totals() -> None:
    html = shown(made(["a", "b", "c"], surprisal=np.log(2)))
    assert "position 1, sampled\nprobability" not in html
    assert 'title="b  position 1, sampled\nsurprisal: 1.000 bits\nprobability: 50.00 %' in html
    assert "mean surprisal <b>1.000 bits</b>" in html
    assert "perplexity <b>2.000</b>" in html
    assert "not available: nothing precedes the first token" in html


def test_of_a_long_trace_is_said_what_is_left_out() -> None:
    html = shown(made(["x\n"] * (MOST_TOKENS + 7)))
    assert len(re.findall(r"data-i=", html)) == MOST_TOKENS
    assert "7 tokens are left out here, positions 500 to 506" in html
    assert "ts.token_frame(trace)" in html
    assert f'data-number="{MOST_TOKENS + 7}"' in html


def test_a_session_shows_its_tree_with_the_changes() -> None:
    body = without_style(shown(TREE))
    assert body.count('class="branch') == 2
    assert 'class="branch selected"' in body
    assert "<td>3</td><td>1</td><td>1 token</td>" in body
    assert CHILD.key[:12] in body


def test_of_a_large_session_is_said_how_many_branches_are_left_out() -> None:
    children = [forked(ROOT, 3, [f" x{i}"]) for i in range(MOST_BRANCHES)]
    html = shown(ts.Session.start(ROOT).add(*children, parent=ROOT))
    assert html.count('class="branch') == MOST_BRANCHES
    assert "1 more branches are left out" in html


def test_a_comparison_marks_the_change_on_both_sides() -> None:
    html = shown(ts.compare(ROOT, CHILD))
    left, right = html.split("<h4>")[1:]
    for side in (left, right):
        assert len(re.findall(r'class="token [^"]*\bchanged\b[^"]*" data-i', side)) == 1
        assert len(re.findall(r'class="token [^"]*\bshared\b[^"]*" data-i', side)) == 3
    assert "they part after 3 tokens" in html


def test_a_comparison_of_long_traces_shows_where_they_part() -> None:
    a = made(["x"] * 3_000)
    html = shown(ts.compare(a, forked(a, 2_000, ["y"], ["x"] * 999)))
    assert html.count('data-i="2000"') == 2
    assert len(re.findall("data-i=", html)) == MOST_TOKENS
    assert "left out" in html


def test_attention_names_its_sink_and_is_pooled_where_it_is_large() -> None:
    small, large = shown(attention_of(40)), shown(attention_of(1_000))
    for html in (small, large):
        assert "position 0 (100% of later rows’ attention)" in html
    assert "at most 96 by 96 cells" in large
    assert "at most" not in small
    assert len(large) < 100_000


def test_of_many_heads_is_said_how_many_are_left_out() -> None:
    html = shown(attention_of(8, layers=4, heads=5))
    assert html.count("<svg") == 12
    assert "8 of 20 matrices are left out" in html


def test_masked_and_missing_weights_are_shown_as_such() -> None:
    masked = ts.without(attention_of(4), [0])
    html = shown(masked)
    assert "masked positions <b>0</b>" in html
    assert 'class="absent"' in html


@pytest.mark.parametrize("value", [ROOT, TREE, ts.compare(ROOT, CHILD), attention_of(4)])
def test_a_plain_repr_is_a_line(value: object) -> None:
    assert re.fullmatch(r"<\w+ .{10,150}>", repr(value))
