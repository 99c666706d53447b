"""A strip as HTML: the markup that the app's script makes, with every text escaped."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_traces import forked, made

from tokenscope_core.display.painting import painted_tokens, strip_lines
from tokenscope_core.display.ramp import TOP_LEVEL, tint_levels
from tokenscope_core.display.visible import name_of_hidden, on_one_line, visible_text


class Spans(HTMLParser):
    """The classes and text of every token's pieces; any other element is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: list[tuple[set[str], str]] = []
        self.lines = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = set((dict(attrs)["class"] or "").split())
        assert (tag, *classes)[:2] == ("div", "line") or tag == "span"
        self.lines += tag == "div"
        if "token" in classes:
            self.pieces.append((classes, ""))

    def handle_data(self, data: str) -> None:
        classes, text = self.pieces[-1]
        self.pieces[-1] = classes, text + data


def strip_of(*words: str, surprisal: float = 1.0) -> Spans:
    return Spans(strip_lines(painted_tokens(made(words, surprisal=surprisal))[0]))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_any_text_is_text(words: list[str]) -> None:
    shown = strip_of(*[word.encode("utf-8", "replace").decode() for word in words])
    assert len(shown.pieces) >= len(words)
    assert all(
        name_of_hidden(one) is None or one == "\t" for _, text in shown.pieces for one in text
    )


def test_a_token_wraps_into_numbered_lines_and_a_lone_carriage_return_is_seen() -> None:
    shown = strip_of("a\n\nb", "c\r", "\n", "d\re")
    assert shown.lines == 4
    assert [text for _, text in shown.pieces] == ["a", "", "b", "c", "", "dCRe"]


def test_marks_say_where_tokens_come_from_and_the_tint_what_they_cost() -> None:
    root = made(["p", "a", "<end>"], prompt_length=1, surprisal=2.0)
    shown = Spans(strip_lines(painted_tokens(forked(root, 1, ["f"], ["<end>"]))[0]))
    (prompt, _), (forced, _), (end, label) = shown.pieces
    assert {"prompt", "missing"} <= prompt
    assert "forced" in forced
    assert "special" in end
    assert label == "<end>"


@pytest.mark.parametrize(
    ("metric", "nats", "level"),
    [("surprisal", 0.0, 0), ("surprisal", 99.0, TOP_LEVEL), ("prob", 1.0, 0),
     ("prob", 0.0, TOP_LEVEL), ("rank", 1.0, 0), ("typicality", 0.0, TOP_LEVEL // 2),
     ("entropy", float("nan"), None)],
)  # fmt: skip
def test_the_strong_end_is_where_the_model_is_unsure(
    metric: str, nats: float, level: int | None
) -> None:
    trace = made(["a"])
    values = trace.column("entropy").copy()
    values[0] = nats
    assert tint_levels(metric, values)[0] == [level]


def test_hidden_characters_have_names() -> None:
    spelled = "\x1b\u202e\u00a0\ufe0f\x7f\t\n ".encode() + b"\xff"
    assert visible_text(spelled) == "⟨ESC⟩⟨U+202E⟩⟨U+00A0⟩⟨U+FE0F⟩⟨DEL⟩→\t↵\n ⟨FF⟩"
    assert on_one_line(spelled) == "⟨ESC⟩⟨U+202E⟩⟨U+00A0⟩⟨U+FE0F⟩⟨DEL⟩→↵·⟨FF⟩"
