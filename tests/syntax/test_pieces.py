"""Texts cut into leaves and gaps, joined with tokens on bytes: nothing lost, nothing twice."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax_traces import words

from tokenscope_core.syntax.alignment import align
from tokenscope_core.syntax.grammar.languages import LANGUAGES, grammar
from tokenscope_core.syntax.grammar.pieces import Pieces, cut
from tokenscope_core.syntax.unfinished.prefixes import GrowingText

PYTHON = grammar("python")
FRAGMENTS = (
    "def f(x):", "\r\n", "\n", "\t", "    ", " ", "'", '"""', "é", "🦊", "\x00", "\\", "(", "]",
    "{", "f'{a}'", "# ", "return ", "x", "1e5", "\u2028", "\ufeff", "class A", ":", "\x0c", "=",
)  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=30).map("".join)
blobs = texts.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)


def spelled(pieces: Pieces, text: bytes) -> list[tuple[str, str]]:
    spans = zip(pieces.start, pieces.end, pieces.levels["leaf"], strict=True)
    return [(text[start:end].decode(errors="replace"), leaf) for start, end, leaf in spans]


def covers_once(pieces: Pieces, text: bytes) -> bool:
    ends = np.concatenate([[0], pieces.end])
    return (
        bool((pieces.start == ends[:-1]).all())
        and bool((pieces.end > pieces.start).all())
        and ends[-1] == len(text)
        and len(pieces.levels) == len(pieces)
    )


@given(blobs)
def test_every_byte_is_in_exactly_one_piece(text: bytes) -> None:
    assert covers_once(cut(text, PYTHON), text)


@given(blobs, st.sampled_from(LANGUAGES))
def test_so_it_is_in_every_language(text: bytes, language: str) -> None:
    assert covers_once(cut(text, grammar(language)), text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_far_character_after_any_mark_is_survived(language: str) -> None:
    for mark in "{}()[]<>$#@!%^&*-+=|\\/~`'\";:,.?_a0 \n":
        for character in "\U00031860\U000e479d\U0010fffd🦊é\u2028":
            text = f"{mark}{character}{mark}{mark}{character}".encode()
            assert covers_once(cut(text, grammar(language)), text)
            GrowingText(grammar(language)).feed(text)


def test_gaps_are_named_for_what_they_do() -> None:
    text = b"  \r\n\tx = 1  \n\n"
    assert spelled(cut(text, PYTHON), text) == [
        ("  ", "indentation"), ("\r\n", "newline"), ("\t", "indentation"), ("x", "identifier"),
        (" ", "whitespace"), ("=", "="), (" ", "whitespace"), ("1", "integer"),
        ("  ", "whitespace"), ("\n\n", "newline"),
    ]  # fmt: skip


def test_string_contents_without_a_leaf_of_their_own_belong_to_the_string() -> None:
    text = "s = 'é\\n \\n🦊'".encode()
    assert spelled(cut(text, PYTHON), text)[4:] == [
        ("'", "string_start"), ("é", "string_content"), ("\\n", "escape_sequence"),
        (" ", "string_content"), ("\\n", "escape_sequence"), ("🦊", "string_content"),
        ("'", "string_end"),
    ]  # fmt: skip


def test_space_between_strings_is_space() -> None:
    text = b'x = "a" "b"'
    assert spelled(cut(text, PYTHON), text)[7] == (" ", "whitespace")


@pytest.mark.parametrize("opening", [b"(", b"[", b"-", b"lambda: ", b"f(x, "])
def test_nesting_deeper_than_the_recursion_limit(opening: bytes) -> None:
    text = b"x = " + opening * (2 * sys.getrecursionlimit() + 10_000)
    assert covers_once(cut(text, PYTHON), text)


def test_ten_thousand_tokens() -> None:
    text = b"total += values[3] * 2\n" * 1000
    pieces = cut(text, PYTHON)
    tokens = words(text)
    assert len(tokens) >= 9_000
    joined = align(np.cumsum([len(token) for token in tokens]), pieces.end)
    assert joined.bytes.sum() == len(text)


def test_what_the_parser_makes_up_is_reported_and_has_no_bytes() -> None:
    text = b"def f(:\n    pass\n"
    pieces = cut(text, PYTHON)
    assert pieces.missing == ((6, ")"),)
    assert covers_once(pieces, text)


def test_what_cannot_be_parsed_is_an_error() -> None:
    levels = cut(b"x = 1\ny = = 2\n", PYTHON).levels
    assert levels.loc[levels["error"], "leaf"].tolist() != []
    assert not levels["error"].iloc[:5].any()


widths = st.lists(st.integers(0, 5), min_size=1, max_size=40)


@given(widths, st.data())
def test_shared_bytes_sum_to_the_text_to_each_token_and_to_each_piece(
    width: list[int], data: st.DataObject
) -> None:
    token_end = np.cumsum(width)
    total = int(token_end[-1])
    cuts = data.draw(st.sets(st.integers(1, total))) if total else set()
    piece_end = np.array(sorted(cuts | {total} if total else cuts), dtype=np.int64)
    joined = align(token_end, piece_end)
    assert joined.bytes.sum() == total
    by_token = np.bincount(joined.token, weights=joined.bytes, minlength=len(width))
    assert by_token.tolist() == width
    by_piece = np.bincount(joined.piece, weights=joined.bytes, minlength=len(piece_end))
    assert by_piece.tolist() == np.diff(piece_end, prepend=0).tolist()
    shares = np.bincount(joined.token, weights=joined.share(), minlength=len(width))
    np.testing.assert_allclose(shares, np.array(width) > 0)


def test_a_token_that_straddles_leaves_is_shared_out_by_bytes() -> None:
    text = b"x = [1]"
    pieces = cut(text, PYTHON)
    joined = align(np.array([3, 7]), pieces.end)  # "x =", " [1]"
    last = joined.token == 1
    assert pieces.levels["leaf"].iloc[joined.piece[last]].tolist() == [
        "whitespace", "[", "integer", "]",
    ]  # fmt: skip
    assert joined.share()[last].tolist() == [0.25] * 4


def test_cuts_of_different_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        align(np.array([3, 7]), np.array([6]))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "x = ('a' \\\n     'b')\n"),
        ("python", "with a as b, \\\r\n        c as d:\n    pass\n"),
        ("c", 'char *s = "a" \\\n  "b";\n'),
        ("bash", "ls \\\n  -l\n"),
    ],
)
def test_a_backslash_that_joins_lines_is_whitespace_everywhere(language: str, text: str) -> None:
    pieces = cut(text.encode(), grammar(language))
    levels = pieces.levels
    assert not levels["category"].isin(["other", "error"]).any()
    joined = levels[levels["leaf"] == "line_continuation"]
    assert joined["category"].tolist() == ["whitespace"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "@app.route('/')\n@a.b.c(1)(2)\n@f(g(1))\n@x.y\ndef h(): i.j()\n",
         ["route", "c", "f", "y"]),
        ("javascript", "@dec @ns.dec(1) @a.b class A { m() { x.y(); } }\n", ["dec", "dec", "b"]),
        ("typescript", "@ns.Component({a: f(1)}) class A { @Input() x = 1; }\n",
         ["Component", "Input"]),
        ("java", "@A.B(x = 1) @a.b.C @D class E {}\n", ["B", "C", "D"]),
        ("rust", "#[tokio::main]\n#[a::b(c)]\n#[cfg(test)]\nfn f() {}\n", ["main", "b", "cfg"]),
    ],
)  # fmt: skip
def test_the_last_name_of_a_decorator_is_it(language: str, text: str, expected: list[str]) -> None:
    pieces = cut(text.encode(), grammar(language))
    found = pieces.levels.index[pieces.levels["category"] == "decorator"]
    assert [text[pieces.start[row] : pieces.end[row]] for row in found] == expected


def test_an_exclamation_mark_after_a_name_is_no_logical_operator() -> None:
    text = "class A { x!: number; y = z!; w = !v }\nlet u!: T;\n"
    pieces = cut(text.encode(), grammar("typescript"))
    at = pieces.levels.index[pieces.levels["leaf"] == "!"]
    assert pieces.levels.loc[at, "category"].tolist() == [
        "other operator", "other operator", "logical operator", "other operator",
    ]  # fmt: skip
