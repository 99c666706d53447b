"""Markdown answers: code is found between its fences, everything else is prose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenscope_core.syntax.documents.texts import MARKDOWN, code_regions, cut_text

markdown = st.lists(
    st.sampled_from(
        [
            "```",
            "```python",
            "~~~~ js",
            "~~~",
            "````",
            "text",
            "x = 1",
            "",
            "  ```",
            "é 🦊",
            "# a",
            "- a",
            "   ```python",
            "   x = (",
            "   ```",
            "> ```py",
            "> y",
            "1. ~~~",
            "\t~~~",
            ">>> z",
        ]
    ),
    max_size=10,
).flatmap(lambda rows: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(rows)))


def code(text: str) -> list[tuple[str, str | None, bool]]:
    blob = text.encode()
    return [
        (blob[region.start : region.end].decode(), region.language, region.closed)
        for region in code_regions(blob)
    ]


@given(markdown)
def test_every_byte_of_an_answer_is_in_exactly_one_piece(text: str) -> None:
    blob = text.encode()
    pieces = cut_text(blob, MARKDOWN)
    ends = np.concatenate([[0], pieces.end])
    assert (pieces.start == ends[:-1]).all()
    assert ends[-1] == len(blob)
    for region in code_regions(blob):
        inside = (pieces.start >= region.start) & (pieces.end <= region.end)
        outside = (pieces.end <= region.start) | (pieces.start >= region.end)
        assert (inside | outside).all(), "no piece crosses a fence"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n```python\nx = 1\n```\nb", [("x = 1\n", "python", True)]),
        ("```js\r\nf()\r\n```\r\n", [("f()\r\n", "javascript", True)]),
        ("~~~ rust\nfn f() {}\n~~~\n", [("fn f() {}\n", "rust", True)]),
        ("````python\n```\n````\n", [("```\n", "python", True)]),
        ("```python\nx = (", [("x = (", "python", False)]),
        ("```sql\nselect 1\n```\n", [("select 1\n", None, True)]),
        ("```\ndef f(x):\n    return [y for y in x]\n```\n",
         [("def f(x):\n    return [y for y in x]\n", "python", True)]),
        ("a `code` b ```not a fence``` c\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_fences_are_found(text: str, expected: list[tuple[str, str | None, bool]]) -> None:
    assert code(text) == expected


def test_code_keeps_its_place_in_the_answer() -> None:
    text = b"So:\n```python\ndef f(:\n    pass\n```\n"
    pieces = cut_text(text, MARKDOWN)
    assert pieces.levels["category"].tolist()[:2] == ["prose", "markup"]
    row = pieces.levels["leaf"].tolist().index("identifier")
    assert text[pieces.start[row] : pieces.end[row]] == b"f"
    unit = pieces.levels.loc[row, ["unit_start", "unit_end"]]
    assert text[unit.iloc[0] : unit.iloc[1]].startswith(b"def f(")
    assert pieces.missing == ((text.index(b":\n    pass"), ")"),)


def test_code_without_a_grammar_is_code_and_no_prose() -> None:
    levels = cut_text(b"```sql\nselect 1\n```\n", MARKDOWN).levels
    assert levels["leaf"].tolist() == ["fence", "code", "fence"]
    assert levels["language"].tolist() == ["", "", ""]
