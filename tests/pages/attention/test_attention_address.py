"""What the address says of the page of attention, and what it makes of nonsense."""

from __future__ import annotations

from typing import Any

from attention_screen import (
    APP,
    PAGE,
    look_of,
    settled,
    sources,
)
from streamlit.testing.v1 import AppTest
from waiting import WAIT_S

import tokenscope_core as ts

App = Any


def test_an_unknown_address_is_explained(page: App) -> None:
    page.open(run="feedface")
    assert "This server does not hold it" in page.texts


def test_a_copied_link_shows_the_same(page: App, trace: ts.Trace, tiny_folder: str) -> None:
    address = {
        "run": trace.key, "view": "token", "layer": "0", "head": "2", "token": "9",
        "question": "at", "scale": "log", "mask": "1", "weighting": "value norms",
    }  # fmt: skip
    page.open(**address)
    settled(page, "masked")
    before = sources(page)
    other = AppTest.from_file(str(APP), default_timeout=WAIT_S)
    other.switch_page(PAGE)
    for name in [*address]:
        other.query_params[name] = page.test.query_params[name]
    other.run()
    assert not other.exception
    again = next(t.value for t in other.dataframe if "even" in t.value)
    assert again.equals(before)


def test_an_address_that_means_nothing_is_as_by_default(page: App, trace: ts.Trace) -> None:
    page.open(
        run=trace.key, view="moon", layer="-3", head="99", token="1000000", crop="?", lines="b-a",
        key="x", scale="2", question="why", queries="9-2",
    )  # fmt: skip
    settled(page, "sink shown")
    assert look_of(page).view == "token"
    assert look_of(page).head == "mean"


def test_a_layer_that_the_model_does_not_have_gives_way(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="token", layer="77")
    settled(page, "sink shown")
    assert look_of(page).layer == 1
