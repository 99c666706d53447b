"""Clicks on a cell of `st.dataframe`, which is a canvas and at times lets one pass."""

from __future__ import annotations

from playwright.sync_api import Locator, Position, expect

_TRIES, _PAUSE_MS, _ANSWER_MS = 4, 400, 5_000


def pick_cell(table: Locator, x: float, y: float, shown: Locator) -> None:
    """Click into a table until what the click should show is there.

    A click before the pointer has been over the table, or while it scrolls, is not taken.
    """
    place = Position(x=x, y=y)
    for attempt in range(_TRIES):
        table.hover(position=place)
        table.page.wait_for_timeout(_PAUSE_MS)
        table.click(position=place)
        try:
            expect(shown).to_be_visible(timeout=_ANSWER_MS)
        except AssertionError:
            if attempt + 1 == _TRIES:
                raise
        else:
            return
