"""What a text is written in, by the look of it: one of our languages, another, or nobody knows.

A grammar alone cannot tell: much of YAML, JSON and CSV parses as Python, and prose as Bash. So the
text is first shown to a classifier of some two hundred kinds of content (Fratantonio et al. 2024,
arXiv:2409.13768), which knows what we have no grammar for; the grammars decide between relatives,
and where there is too little text for it. Where the classifier is not installed they are alone, and
that is said.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tree_sitter import Node, Parser

from tokenscope_core.caching import cache, lru_cache
from tokenscope_core.syntax.documents.regions import with_line_feeds
from tokenscope_core.syntax.grammar import macros
from tokenscope_core.syntax.grammar.languages import LABELS, ROWS, grammar, relatives
from tokenscope_core.syntax.time_budget import Budget, OutOfTime, parse_within
from tokenscope_core.syntax.unfinished.prefixes import GrowingText, reach

if TYPE_CHECKING:
    from magika import Magika

BY_GRAMMAR_ALONE = (
    "languages are told by their grammars alone, which takes some foreign texts for code; "
    '`pip install "tokenscope-code[recognition]"` brings the classifier'
)
# What the shipped model writes, and most of those that this is used with.
USUAL = "python"
# Enough to tell, and bounds the time.
RECOGNITION_BYTES = 20_000
# A language that takes longer over them, usually 3 ms, is none of those that fit.
_SECONDS = 0.5
# Of the prefixes of Python that have so many bytes the classifier knows nearly all; of shorter
# ones it takes some for other things, but for few of them is it sure.
_ENOUGH_BYTES = 40
_SURE, _LIKELY = 0.9, 0.5
_FEW_ERRORS, _A_SLIP = 0.2, 0.03
_OURS = {label: name for name, row in ROWS.items() for label in row.classifier}
_NO_VERDICT = ("undefined", "unknown", "empty")  # what it says of a few bytes, and is sure of
_PROSE = ("txt", "randomtxt", "randomascii", *_NO_VERDICT)
# In Python a comment and JSON a value, but no program in it begins so.
_INCLUDE = re.compile(rb"#include[ \t]*[<\"]")
_DATA = ("json", "jsonl", "ipynb")
# The headers of C++ have no suffix.
_CPP_HEADER = re.compile(rb"^#include[ \t]*<\w+>", re.MULTILINE)
_WORD = re.compile(r"[a-z]{2,}")


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a text is written in.

    `language` is one of `LANGUAGES`, or None where it is in another or nobody knows; `looks_like`
    says in words what it is taken for, "" where nobody knows. `likely` means that the classifier
    is sure and, of our own languages, that the text can become valid in it.
    """

    language: str | None
    looks_like: str
    likely: bool


UNKNOWN = Recognition(None, "", likely=False)


def recognised(code: bytes) -> str | None:
    """The language of some code, as far as `recognise` knows."""
    return recognise(code).language


@lru_cache(maxsize=256)
def recognise(text: bytes) -> Recognition:
    """What a text is written in, by its first `RECOGNITION_BYTES`. Some 15 ms.

    Without the classifier never `likely`, shebangs aside; see `has_classifier`.
    """
    text = with_line_feeds(text)
    begun = text.lstrip()
    for language, row in ROWS.items():
        if row.shebang is not None and row.shebang.match(begun):
            return Recognition(language, row.label, likely=True)
    if not begun:
        return UNKNOWN
    # Cut at a line, or the cut itself may look like an error.
    code = text[:RECOGNITION_BYTES]
    if len(code) < len(text):
        code = code[: code.rfind(b"\n") + 1] or code
    classifier = _classifier()
    if classifier is None:
        return _unclassified(code)
    seen = classifier.identify_bytes(code)
    label = str(seen.dl.label)
    sure = 0.0 if label in _NO_VERDICT else seen.score
    if label in _OURS and (sure >= _LIKELY or _nearly(code, _OURS[label])):
        return _ours(code, _OURS[label], sure)
    if _INCLUDE.match(begun):
        return _including(code)
    if label in _DATA and sure >= _LIKELY and not _speaks(code, USUAL):
        return Recognition(None, seen.dl.description, likely=sure >= _SURE)
    prose = label in _PROSE
    enough = len(code.strip()) >= _ENOUGH_BYTES
    if not prose and sure >= (_LIKELY if enough else _SURE):
        if (sure < _SURE or not enough) and _speaks(code, USUAL):
            return Recognition(USUAL, LABELS[USUAL], likely=False)
        return Recognition(None, seen.dl.description, likely=True) if sure >= _SURE else UNKNOWN
    if _speaks(code, USUAL) or (not enough and may_become(code, USUAL)):
        return Recognition(USUAL, LABELS[USUAL], likely=False)
    if prose and sure >= _LIKELY:
        return Recognition(None, "prose", likely=sure >= _SURE)
    # One error is much of a short text.
    if not enough and error_share(code, USUAL) < _FEW_ERRORS and _says_something(code, USUAL):
        return Recognition(USUAL, LABELS[USUAL], likely=False)
    return _by_grammar(code) if prose or label in _OURS else UNKNOWN


def has_classifier() -> bool:
    """Whether texts are shown to the classifier; else `BY_GRAMMAR_ALONE` holds."""
    return _classifier() is not None


@cache
def _classifier() -> Magika | None:
    try:
        from magika import Magika
    except ImportError:
        # What is counted by language depends on it.
        warnings.warn(f"TokenScope: {BY_GRAMMAR_ALONE}.", stacklevel=2)
        return None
    return Magika()


def _unclassified(code: bytes) -> Recognition:
    if _INCLUDE.match(code.lstrip()):
        return _including(code)
    if _speaks(code, USUAL):
        return Recognition(USUAL, LABELS[USUAL], likely=False)
    return _by_grammar(code)


def _including(code: bytes) -> Recognition:
    return _ours(code, "cpp" if _CPP_HEADER.search(code) else "c", 0.0)


def _ours(code: bytes, name: str, sure: float) -> Recognition:
    """One of our languages, or the relative of it that has the least errors."""
    family = relatives(name)
    if len(family) > 1:
        name = _least_errors(code, sorted(family, key=lambda other: other != name))
    fits = may_become(code, name)
    if ROWS[name].preprocessed and not fits:
        with contextlib.suppress(OutOfTime):
            fits = macros.may_explain(code, reach(code, grammar(name), Budget(_SECONDS)))
    if not fits and sure < _SURE and name != USUAL:
        return UNKNOWN  # neither the look of it nor its grammar speaks clearly
    return Recognition(name, LABELS[name], likely=sure >= _SURE and fits)


def _by_grammar(code: bytes) -> Recognition:
    """A language that a text can become valid in, and says something in."""
    names = [name for name, row in ROWS.items() if row.by_grammar]
    # One that takes a text whole for want of any rule says nothing of it: the next may.
    for name in sorted(names, key=lambda name: error_share(code, name)):
        if _speaks(code, name):
            return Recognition(name, LABELS[name], likely=False)
    return UNKNOWN


def _least_errors(code: bytes, names: Iterable[str]) -> str:
    return min(names, key=lambda name: error_share(code, name))


def _nearly(code: bytes, language: str) -> bool:
    """Whether a text is of a language but for a slip."""
    return error_share(code, language) < _A_SLIP and _says_something(code, language)


def _speaks(code: bytes, language: str) -> bool:
    return may_become(code, language) and _says_something(code, language)


def may_become(code: bytes, language: str) -> bool:
    """Whether a text can become valid in a language, read in one go."""
    with contextlib.suppress(OutOfTime):
        return GrowingText(grammar(language), Budget(_SECONDS)).feed(code)
    return False


def _says_something(code: bytes, language: str) -> bool:
    """Whether a tree holds a keyword, an assignment or a call: names and values are in any text."""
    read = grammar(language)
    with contextlib.suppress(OutOfTime):
        tree = parse_within(Parser(read.language), read.readable(code), Budget(_SECONDS))
        cursor = tree.walk()
        while True:
            node = cursor.node
            assert node is not None
            if _is_telling(node):
                return True
            if not cursor.goto_first_child():
                while not cursor.goto_next_sibling():
                    if not cursor.goto_parent():
                        return False
    return False


def _is_telling(node: Node) -> bool:
    if node.is_missing or node.is_error:
        return False
    if node.is_named:
        return node.type in ("call", "call_expression")
    return node.type == "=" or _WORD.fullmatch(node.type) is not None


def error_share(text: bytes, language: str) -> float:
    """The share of the bytes that the parser could give no place: 0 for valid code.

    Counts what stands directly in an ERROR node, not what could be parsed below it; every token
    that had to be made up counts as one byte. 1 where the parser takes too long.
    """
    read = grammar(language)
    errors = 0
    try:
        tree = parse_within(Parser(read.language), read.readable(text), Budget(_SECONDS))
    except OutOfTime:
        return 1.0
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        if node.is_missing:
            errors += 1
        elif node.is_error:
            errors += sum(c.end_byte - c.start_byte for c in node.children if not c.child_count)
            errors += (node.end_byte - node.start_byte) if not node.child_count else 0
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return errors / max(len(text), 1)
