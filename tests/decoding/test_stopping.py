"""Stop strings are found in the bytes of the text, however tokens cut it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenscope_core.decoding.stopping import StopMatcher

TEXTS = st.text(alphabet="ab\né🦊", min_size=1, max_size=4)


@given(
    text=st.text(alphabet="ab\né🦊", max_size=30),
    stop=st.lists(TEXTS, min_size=1, max_size=3),
    cuts=st.sets(st.integers(1, 100)),
)
def test_it_stops_at_the_first_piece_that_completes_a_stop_string(
    text: str, stop: list[str], cuts: set[int]
) -> None:
    data = text.encode()
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    matcher = StopMatcher(stop)
    for start, end in itertools.pairwise(edges):
        complete = any(s.encode() in data[:end] for s in stop)
        assert matcher.feed(data[start:end]) == complete
        if complete:
            break


@pytest.mark.parametrize("stop", ["\n\n", "é", "🦊x", "def "])
def test_a_stop_string_fed_byte_by_byte_is_found_at_its_last_byte(stop: str) -> None:
    matcher = StopMatcher((stop,))
    found = [matcher.feed(bytes([byte])) for byte in ("..." + stop).encode()]
    assert found == [False] * (len(found) - 1) + [True]


def test_half_a_character_is_not_the_character() -> None:
    matcher = StopMatcher(("é",))
    assert not matcher.feed(b"\xc3")
    assert not matcher.feed(b"\xa8")  # è


def test_without_stop_strings_nothing_stops() -> None:
    assert not StopMatcher(()).feed(b"anything")


def test_what_has_stopped_a_text_before_does_not_stop_it_again() -> None:
    matcher = StopMatcher(("ab", "a longer one"))
    fed = [matcher.feed(piece) for piece in (b"a", b"b", b"b", b"c", b"ab")]
    assert fed == [False, True, False, False, True]
