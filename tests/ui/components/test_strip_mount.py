"""The Python side of the token strip, without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tokenscope_ui.components import strip
from tokenscope_ui.components.strip import Payload


def payload(**changes: Any) -> Payload:
    base: Payload = {
        "key": "trace",
        "text": ["a", "b"],
        "flags": [0, 0],
        "values": [None, 1.0],
        "scale": {
            "label": "surprisal",
            "unit": "bits",
            "low": 0,
            "high": 12,
            "ticks": [(0, "0")],
            "kind": "sequential",
            "reverse": False,
            "root": 1,
            "note": "absolute",
        },
        "hover": [{"label": "rank", "values": [None, "1"]}],
        "invisibles": False,
        "first_position": 0,
        "running": False,
    }
    return base | changes  # type: ignore[return-value]


class TestEncode:
    @pytest.mark.parametrize(
        "changes",
        [{"flags": [0]}, {"values": [1.0]}, {"hover": [{"label": "rank", "values": ["1"]}]}],
    )
    def test_refuses_columns_of_another_length(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="1 entries for 2 tokens"):
            strip.encode(payload(**changes))

    def test_refuses_nan(self) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            strip.encode(payload(values=[float("nan"), 1.0]))

    def test_carries_half_a_surrogate_pair(self) -> None:
        assert b"\\ud800" in strip.encode(payload(text=["\ud800", "b"]))


def owned_by_strip() -> None:
    import streamlit as st

    from tokenscope_ui.components import strip

    st.session_state.shown = strip.mount(b"{}", key="strip", selected=st.session_state.get("want"))


def owned_by_page() -> None:
    import streamlit as st

    from tokenscope_ui.components import strip

    st.session_state.shown = strip.mount(
        b"{}", key="strip", selected=st.session_state.get("want"), on_select=lambda: None
    )
    st.session_state.pick = strip.picked("strip")


def pick(app: AppTest, index: Any, stamp: Any) -> AppTest:
    app.session_state["strip"] = {"pick": {"index": index, "stamp": stamp}}
    return app.run()


def want(app: AppTest, index: int | None) -> AppTest:
    app.session_state["want"] = index
    return app.run()


class TestMount:
    def test_nothing_is_selected_at_first(self) -> None:
        app = AppTest.from_function(owned_by_strip).run()
        assert not app.exception
        assert app.session_state["shown"] is None

    def test_whichever_changed_last_is_selected(self) -> None:
        app = AppTest.from_function(owned_by_strip).run()
        assert pick(app, 7, 100).session_state["shown"] == 7
        assert app.run().session_state["shown"] == 7
        assert want(app, 3).session_state["shown"] == 3
        assert pick(app, 7, 200).session_state["shown"] == 7

    def test_a_page_that_owns_the_selection_decides(self) -> None:
        app = AppTest.from_function(owned_by_page).run()
        want(app, 3)
        pick(app, 7, 100)
        assert app.session_state["shown"] == 3
        assert app.session_state["pick"] == 7

    @pytest.mark.parametrize(
        ("index", "stamp"), [(-1, 1), ("7", 1), (True, 1), (7.5, 1), ([7], 1), (7, "late")]
    )
    def test_a_malformed_pick_is_none(self, index: Any, stamp: Any) -> None:
        app = pick(AppTest.from_function(owned_by_page).run(), index, stamp)
        assert app.session_state["pick"] is None

    def test_selecting_leaves_the_tokens_message_alone(self) -> None:
        app = AppTest.from_function(owned_by_page).run()
        tokens, _ = app.get("bidi_component")
        before = tokens.proto.SerializeToString()
        want(app, 1)
        tokens, selection = app.get("bidi_component")
        assert tokens.proto.SerializeToString() == before
        assert '"index": 1' in selection.proto.json
