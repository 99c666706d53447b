"""Links to a comparison of two models, short and long, and its tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from fake_hub import NAME, FakeHub
from two_models_screen import (
    PAGE,
    TEXT,
    choose,
    compare,
    link_of,
    short_link_of,
    shown,
    to_page,
    value,
)

import tokenscope_core as ts
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.sharing import payload
from tokenscope_ui.server import visitors
from tokenscope_ui.server.server import service

App = Any


def test_a_link_opens_on_a_server_that_has_never_seen_the_comparison(
    page: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compare(page)
    next(b for b in page.test.button if (b.key or "").startswith("jump span")).click()
    page.run()
    selected = shown(page).selected
    link = link_of(page)
    assert len(link) < ts.share.MAX_PAYLOAD

    service().close()
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
    st.cache_resource.clear()
    other = type(page)("").open(share=link)
    assert "A shared comparison of two models" in [e.value for e in other.test.header]
    assert "is here, in exactly that version" in other.texts
    assert "two_models" not in other.test.session_state, "nothing runs before a click"
    other.press("Open it here").until(lambda: not shown(other.run()).busy)
    other.run()
    assert [side.address for side in shown(other).sides] == [s.address for s in first.sides]
    assert shown(other).selected == selected
    assert other.test.text_area(key="compared_text").value == TEXT
    assert "share" not in other.test.query_params
    assert value(other, "a") == first.a.address

    again = type(page)("").open(share=link)
    assert [side.address for side in shown(again).sides] == [s.address for s in first.sides], (
        "what is all here opens at once"
    )


def test_a_link_to_a_model_that_is_not_here_opens_as_far_as_possible(
    page: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compare(page)
    link = link_of(page)
    service().close()
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(Path(tiny_folder).parent))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    st.cache_resource.clear()
    other = type(page)("").open(share=link)
    other.press("Open what is possible").until(lambda: not shown(other.run()).busy)
    other.run()
    a, b = shown(other).sides
    assert a.trace is not None
    assert b.trace is None
    assert "No result of model B" in other.texts
    assert "neither is exactly that model" in other.texts


def test_a_short_link_opens_for_another_visitor_and_reads_again_what_was_evicted(
    page: App,
) -> None:
    first = compare(page)
    name = short_link_of(page)
    assert len(name) == 22
    assert [side.address for side in shown(type(page)("").open(share=name)).sides] == [
        side.address for side in first.sides
    ]
    for side in first.sides:
        service().store.delete(str(side.address))
    other = type(page)("").open(share=name)
    assert "A shared comparison of two models" in [e.value for e in other.test.header]
    other.press("Open it here").until(lambda: not shown(other.run()).busy)
    assert [side.address for side in shown(other).sides] == [side.address for side in first.sides]


def test_a_short_link_on_a_server_that_does_not_have_it_says_what_to_do(
    page: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(page)
    name = short_link_of(page)
    service().close()
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
    st.cache_resource.clear()
    other = type(page)("").open(share=name)
    assert "This server does not hold it" in other.texts
    assert "Ask for the long link" in other.texts


def test_a_text_too_long_for_a_link_still_has_a_short_one(
    page: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "MAX_LINK", 300)
    monkeypatch.setattr(ts.share, "MAX_LINK", 300)
    text = "".join(chr(33 + i * i * 7919 % 90) for i in range(400))
    choose(page, tiny_folder, tiny_folder, text)
    first = compare(page)
    name = short_link_of(page)
    assert "There is no link to these two" in page.texts
    assert "short link" in page.texts
    assert [side.address for side in shown(type(page)("").open(share=name)).sides] == [
        side.address for side in first.sides
    ]


def test_a_short_link_counts_for_its_visitor_once_and_goes_when_they_delete_it(
    page: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = {"is_logged_in": True, "iss": "i", "sub": "ada"}
    monkeypatch.setattr(visitors, "_user", lambda: person)
    compare(page)
    name = short_link_of(page)
    again = type(page)("").open(share=name)
    assert short_link_of(again) == name
    assert len(service().store.sessions()) == 1

    person["sub"] = "eve"
    eve = type(page)("").open(share=name)
    assert shown(eve).a.trace is not None, "whoever has the link can open it"
    to_page(eve, "pages/branches.py")
    assert not eve.test.multiselect, "and nobody else delete it"
    assert short_link_of(eve) == name

    person["sub"] = "ada"
    to_page(page, "pages/branches.py")
    (box,) = page.test.multiselect
    (option,) = box.options
    assert option.startswith("Two models: def f(é):")
    assert "Other trees" not in [one.label for one in page.test.selectbox]
    box.set_value(box.options)
    page.run().press("Delete 1 comparison for good")
    (left,) = service().store.sessions()
    person["sub"] = "eve"
    assert left.owner == visitors.owner()
    to_page(page, "pages/share.py")
    assert shown(type(page)("").open(share=name)).a.trace is not None, "the other has a copy"


def test_a_short_link_beyond_the_bound_is_refused_by_name(
    app: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_KEPT_PER_VISITOR", "1")
    st.cache_resource.clear()
    app.open()
    to_page(app, PAGE)
    choose(app, tiny_folder, tiny_folder)
    compare(app)
    to_page(app, "pages/share.py")
    app.press("Make a short link")
    assert "There is no short link" in app.texts
    assert "a visitor may keep 1" in app.texts
    assert service().store.sessions() == []


def test_two_precisions_of_one_model_can_be_downloaded_apart(
    page: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: str
) -> None:
    a = compare(page).a.trace
    assert a is not None
    of_hub = replace(a, model=replace(a.model, name=NAME))
    in_half = replace(a, model=replace(a.model, name=NAME, fingerprint="half"))
    choices = (ModelChoice(NAME), ModelChoice(NAME, "bfloat16"))
    link = ts.share.encode_readings(of_hub, in_half, choices=choices)
    service().close()
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TOKENSCOPE_MODELS", "")
    st.cache_resource.clear()
    hub = FakeHub(Path(tiny_folder))
    hub.go_online(tmp_path / "hub", monkeypatch)
    try:
        other = type(page)("").open(share=link)
        assert other.buttons.count("Download the model") == 2
        assert f"“{NAME} in bfloat16”" in other.texts
    finally:
        hub.close()


def test_a_comparison_can_be_taken_along_as_tables(page: App) -> None:
    compare(page)
    link_of(page)
    assert {"Spans", "Lines"} <= {b.label for b in page.test.get("download_button")}
