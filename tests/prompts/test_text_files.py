"""Files as people have them on disk: text exactly as it is, or a refusal that names the place."""

from __future__ import annotations

import codecs

import pytest

from tokenscope_core import RequestError
from tokenscope_core.prompts.text_files import text_file


@pytest.mark.parametrize("text", ["", "x", "x = 'é👋'\n", "a\r\nb\r\n", "a\rb\n\n", "\n"])
def test_a_text_keeps_every_byte(text: str) -> None:
    raw = text.encode()
    assert text_file("a.py", raw).text.encode() == raw


def test_line_ends_are_spoken_of_where_they_are_unusual() -> None:
    assert text_file("a.py", b"a\nb\n").notes == ()
    assert "all of its 2 lines end in CR LF" in text_file("a.py", b"a\r\nb\r\n").notes[0]
    assert "1 of its 2 lines end in CR LF" in text_file("a.py", b"a\r\nb\n").notes[0]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(mark: bytes, encoding: str) -> None:
    file = text_file("a.py", mark + "x = 'é'\n".encode(encoding))
    assert file.text == "x = 'é'\n"
    assert encoding.upper() in file.notes[0] and "not part of the text" in file.notes[0]


def test_bytes_that_are_no_text_are_refused_with_their_place_and_the_way_out() -> None:
    with pytest.raises(RequestError) as caught:
        text_file("old.py", b"# first\nx = 'caf\xe9'\n")
    assert "Byte 17 (0xE9), in line 2, is not UTF-8" in caught.value.found
    assert "iconv" in caught.value.action
    with pytest.raises(RequestError, match="NUL bytes") as caught:
        text_file("a.png", b"\x89PNG\r\n\x1a\n\0\0\0")
    assert caught.value.action == "Choose a text file."


def test_lines_are_those_between_line_feeds() -> None:
    file = text_file("a.py", b"one\r\ntwo\nthree")
    assert file.line_count == 3
    assert file.lines(1, 3) == file.text
    assert file.lines(2, 2) == "two\n"
    assert file.lines(1, 1) == "one\r\n"
    assert file.lines(3, 9) == "three"
    assert [text_file("", raw).line_count for raw in (b"", b"\n", b"a", b"a\n\n")] == [0, 1, 1, 2]
