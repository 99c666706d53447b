"""Clicks on a cell of `st.dataframe`, which is a canvas and at times lets one pass."""

from __future__ import annotations

from playwright.sync_api import Locator, Position, expect

_TRIES, _PAUSE_MS, _ANSWER_MS, _END_MS = 4, 400, 15_000, 60_000


def pick_cell(table: Locator, x: float, y: float, shown: Locator) -> None:
    """Click into a table until what the click should show is there.

    A click before the pointer has been over the table, or while it scrolls, is not taken. One that
    was is not repeated while its answer is still being made: a second one would take it back.
    """
    place = Position(x=x, y=y)
    at_rest = table.page.locator("[data-test-script-state=notRunning]")
    for attempt in range(_TRIES):
        table.hover(position=place)
        table.page.wait_for_timeout(_PAUSE_MS)
        table.click(position=place)
        try:
            expect(shown).to_be_visible(timeout=_ANSWER_MS)
        except AssertionError:
            expect(at_rest).to_be_visible(timeout=_END_MS)
            if shown.is_visible():
                return
            if attempt + 1 == _TRIES:
                raise
        else:
            return
