"""Every language with its map: nothing unassigned, the right names for real code, detection."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import tokenscope_core as ts
from tokenscope_core.syntax.documents.recognition import recognise
from tokenscope_core.syntax.grammar.categories import CATEGORIES, CategoryMap
from tokenscope_core.syntax.grammar.languages import LANGUAGES, Grammar, grammar, named
from tokenscope_core.syntax.grammar.pieces import cut

SAMPLES = Path(__file__).resolve().parents[1] / "syntax_samples"
# Anonymous tokens that no map names: Go's zero byte, which only the end of a file can be.
TOLERATED = {"go": {""}}
# The category of what stands in the sample, as a reader of that language calls it.
EXPECTED: dict[str, dict[str, str]] = {
    "javascript": {
        "class name": "Stack",
        "function name": "constructor",
        "call target": "log",
        "attribute": "#items",
        "keyword": "async",
        "parameter": "rest a",
        "builtin": "TypeError",
        "null": "null",
        "comparison operator": "===",
        "regular expression": "gi",
        "number": "0x10",
        "markup": "div",
        "label": "outer",
        "logical operator": "||",
        "other operator": "=>",
    },
    "typescript": {
        "class name": "Shape Pair Box",
        "function name": "area isS",
        "parameter": "scale",
        "type": "T unknown",
        "constant": "Red",
        "keyword": "readonly",
        "attribute": "name",
        "module": "N",
        "variable": "z",
    },
    "tsx": {
        "class name": "Props",
        "variable": "setCount count Button",
        "markup": "button",
        "attribute": "className",
        "type": "void",
    },
    "java": {
        "class name": "Stack",
        "function name": "push",
        "parameter": "item",
        "call target": "println",
        "decorator": "Override",
        "module": "com",
        "constant": "RED",
        "character": "'c'",
        "comparison operator": "instanceof",
        "null": "null",
        "type": "T",
        "arithmetic operator": "++",
        "string": "full",
    },
    "go": {
        "class name": "Stack",
        "function name": "Push",
        "parameter": "item",
        "call target": "Errorf",
        "builtin": "append",
        "constant": "Limit",
        "attribute": "size",
        "module": "stack",
        "assignment operator": ":=",
        "null": "nil",
        "number": "2.5",
        "type": "int",
    },
    "rust": {
        "class name": "Stack",
        "function name": "push",
        "parameter": "item",
        "call target": "len",
        "constant": "LIMIT Red",
        "module": "std",
        "decorator": "derive",
        "label": "outer",
        "character": "'c'",
        "type": "i32",
        "attribute": "items",
        "logical operator": "&&",
        "boolean": "true",
    },
    "c": {
        "function name": "sum SQ",
        "parameter": "head",
        "call target": "printf",
        "constant": "MAX RED",
        "preprocessor": "#include",
        "module": "<stdio.h>",
        "attribute": "next",
        "null": "NULL",
        "keyword": "goto",
        "label": "done",
        "assignment operator": "+=",
    },
    "cpp": {
        "class name": "Stack Ints",
        "function name": "push",
        "parameter": "item",
        "call target": "push_back static_cast",
        "module": "app std",
        "null": "nullptr",
        "logical operator": "or",
        "keyword": "override",
        "attribute": "limit_",
    },
    "bash": {
        "function name": "local_sum",
        "builtin": "echo",
        "call target": "grep",
        "variable": "total",
        "comparison operator": "-lt",
        "delimiter": "[[",
        "keyword": "done",
        "label": "EOF",
        "logical operator": "&&",
    },
}


def sample(language: str) -> bytes:
    return (SAMPLES / f"{language}.txt").read_bytes()


def categories_of(text: bytes, language: str) -> dict[str, str]:
    """The category of the first appearance of each spelling."""
    pieces = cut(text, grammar(language))
    found: dict[str, str] = {}
    spans = zip(pieces.start, pieces.end, pieces.levels["category"], strict=True)
    for start, end, category in spans:
        found.setdefault(text[start:end].decode(), category)
    return found


def kinds_of(language: str) -> tuple[set[str], set[str]]:
    """(named, anonymous) node kinds that a tree in this language can show."""
    table = grammar(language).language
    visible = [i for i in range(table.node_kind_count) if table.node_kind_is_visible(i)]
    names = [(table.node_kind_for_id(i) or "", table.node_kind_is_named(i)) for i in visible]
    return {n for n, named in names if named}, {n for n, named in names if not named}


def map_of(language: str) -> CategoryMap:
    table = grammar(language).categories
    assert table is not None
    return table


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_named_kind_of_the_grammar_is_assigned(language: str) -> None:
    named, _ = kinds_of(language)
    table = map_of(language)
    assert named, "the grammar lists its kinds"
    assigned = set(table.leaves) | table.statements | table.expressions | table.parts
    assert not named - assigned
    assert not table.statements & table.expressions
    assert not (table.statements | table.expressions) & table.parts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_token_of_the_grammar_has_a_category(language: str) -> None:
    _, anonymous = kinds_of(language)
    unknown = {token for token in anonymous if map_of(language).token(token, "") == "other"}
    assert unknown == TOLERATED.get(language, set())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_map_names_nothing_that_its_grammar_does_not_have(language: str) -> None:
    named = kinds_of(language)[0]
    if language in ("typescript", "tsx"):  # one map for both, on top of JavaScript's
        named = named.union(*(kinds_of(other)[0] for other in ("typescript", "tsx", "javascript")))
    if language == "cpp":
        named = named | kinds_of("c")[0]
    table = map_of(language)
    mentioned = set(table.leaves) | table.statements | table.expressions | set(table.scopes)
    assert not (mentioned | table.names | table.functions) - named
    places = {kind for role in table.roles for kind in role[::2] if kind}
    assert not places - named


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_map_uses_the_listed_categories_only(language: str) -> None:
    table = map_of(language)
    used = {*table.leaves.values(), *table.roles.values(), *table.tokens.values()}
    assert used | set(table.tokens_in.values()) <= set(CATEGORIES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_code_parses_without_errors_and_leaves_nothing_unnamed(language: str) -> None:
    levels = cut(sample(language), grammar(language)).levels
    assert not levels["error"].any()
    assert not levels["category"].isin(["other", "error"]).any()
    assert levels["scope"].str.contains("function").any()
    assert levels["function"].any()


@pytest.mark.parametrize("language", sorted(EXPECTED))
def test_real_code_is_named_as_its_readers_name_it(language: str) -> None:
    found = categories_of(sample(language), language)
    for category, spellings in EXPECTED[language].items():
        assert {word: found.get(word) for word in spellings.split()} == dict.fromkeys(
            spellings.split(), category
        )


def test_python_is_read_as_the_golden_table_has_it() -> None:
    text = sample("python")
    pieces = cut(text, grammar("python"))
    rows = [
        "\t".join([ascii(text[start:end].decode())[1:-1], *levels])
        for start, end, levels in zip(
            pieces.start,
            pieces.end,
            pieces.levels[["leaf", "category", "statement", "scope"]].itertuples(index=False),
            strict=True,
        )
    ]
    assert rows == (SAMPLES / "python.tsv").read_text(encoding="utf-8").splitlines()


def test_a_language_without_a_map_still_has_leaves_and_node_kinds() -> None:
    bare = dataclasses.replace(grammar("python"), categories=None)
    levels = cut(b"x = f(1)\n", bare).levels
    assert levels["leaf"].tolist()[:3] == ["identifier", "whitespace", "="]
    assert levels["statement"].tolist()[-3:-1] == ["argument_list"] * 2
    assert set(levels["category"]) == {"other", "whitespace", "newline"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_fence_names_its_language(language: str) -> None:
    assert named(fence=language) == language


@pytest.mark.parametrize(
    ("fence", "language"),
    [("rust,ignore", "rust"), ("{.python}", "python"), ("js title='a.js'", "javascript"),
     ("Python3", "python"), ("c++", "cpp"), ("c#", None), ("python:main.py", "python"),
     ("output", None), ("", None)],
)  # fmt: skip
def test_what_else_stands_behind_a_fence_is_passed_over(fence: str, language: str | None) -> None:
    assert named(fence=fence) == language


@pytest.mark.parametrize(
    ("filename", "language"),
    [("a/b.py", "python"), ("x.tsx", "tsx"), ("main.CPP", "cpp"), (".bashrc", "bash"),
     ("lib.rs", "rust"), ("x.sql", None)],
)  # fmt: skip
def test_file_names_are_known_by_their_endings(filename: str, language: str | None) -> None:
    assert named(filename=filename) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_longer_text_tells_its_language_by_itself(language: str) -> None:
    found = recognise(sample(language))
    assert (found.language, found.likely) == (language, True)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ts.RequestError, match="javascript"):
        grammar("klingon")
    assert isinstance(grammar("python"), Grammar)
