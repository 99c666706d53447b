"""The report's file: one page, the same each time, with nothing in it that could break out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from made_traces import made

import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.display.scales import scale_of


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    values: dict[str, Any] = json.loads(found[1])
    return values


def test_the_policy_names_exactly_the_style_and_the_program_of_the_page() -> None:
    page = export.report(made(["a", "b"])).decode()
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://", page)


def test_equal_sessions_give_equal_pages() -> None:
    assert export.report(made(["a", "b"])) == export.report(made(["a", "b"]))


@given(st.text(), st.text())
def test_no_text_ends_the_data(prompt: str, note: str) -> None:
    root = made(["</script>", "<!--"], request=ts.Request(prompt + "</script>", 1))
    session = ts.Session.start(root).note(root.key, "<!--" + note[:1000])
    page = export.report(session, [root], title="</ScRiPt>{{DATA}}{{SCRIPT}}").decode()
    values = data_of(page)
    (branch,) = values["branches"]
    assert branch["note"] == "<!--" + note[:1000]
    assert json.loads(branch["recipe"])["request"]["prompt"] == prompt + "</script>"
    assert page.count("<script") == 2
    assert page.count("</script") == 2


def test_figures_are_those_of_the_trace_to_five_digits() -> None:
    trace = made(["a", "b", "c"], surprisal=1.23456789)
    values = data_of(export.report(trace).decode())
    (branch,) = values["branches"]
    assert branch["trace"]["metrics"]["surprisal"] == [None, 1.2346, 1.2346]
    assert branch["trace"]["sources"] == "pss"


def test_tints_go_the_same_way_and_as_far_as_on_the_screen() -> None:
    trace = made(["a", "b"])
    metrics = data_of(export.report(trace).decode())["metrics"]
    assert [shown["name"] for shown in metrics] == [metric.name for metric in ts.METRICS]
    for shown in metrics:
        scale = scale_of(shown["name"], trace.column(shown["name"]))
        none, full = (scale.high, scale.low) if scale.reverse else (scale.low, scale.high)
        assert shown["signed"] == (scale.kind == "diverging")
        assert shown["tint"] == [0 if shown["signed"] else none, full]
        assert shown["root"] == scale.root
