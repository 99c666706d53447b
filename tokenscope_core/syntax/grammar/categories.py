"""What people call the parts of a program, and the form of the table that says so per language.

A category map is data: it names node kinds of a tree-sitter grammar and gives each a meaning.
The lookups that read it are in `levels`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CATEGORIES: tuple[str, ...] = (
    "keyword",
    "function name",  # being defined
    "class name",  # being defined
    "call target",
    "attribute",
    "parameter",  # declared, or named in a call
    "variable",
    "constant",
    "type",
    "builtin",
    "module",
    "label",
    "decorator",
    "string",
    "character",
    "regular expression",
    "number",
    "boolean",
    "null",
    "arithmetic operator",
    "comparison operator",
    "logical operator",
    "bitwise operator",
    "assignment operator",
    "other operator",
    "delimiter",
    "comment",
    "docstring",
    "preprocessor",
    "markup",
    "prose",
    "whitespace",
    "newline",
    "indentation",
    "error",
    "other",
)
GAPS = ("whitespace", "newline", "indentation")


def words(text: str) -> frozenset[str]:
    """The words of a table written as text."""
    return frozenset(text.split())


# Scopes without a name of their own.
BLOCKS = words("""
    if for while do loop try with match switch select case lambda closure subshell unsafe
    synchronized
""")


def _table(**rows: str) -> dict[str, str]:
    return {token: name.replace("_", " ") for name, row in rows.items() for token in row.split()}


# Tokens that mean the same in every language mapped here, unless its map says otherwise.
SHARED_TOKENS: Mapping[str, str] = _table(
    arithmetic_operator="+ - * / % ** // ++ --",
    comparison_operator="== != < > <= >= === !== <> <=> =~",
    logical_operator="&& || ! ??",
    bitwise_operator="& | ^ ~ << >> >>> &^",
    assignment_operator="= := += -= *= /= %= **= //= @= &= |= ^= <<= >>= >>>= &&= ||= ??= &^=",
    other_operator="? ?. -> => ... .. ..= :: .* ->* <- @ #",
    delimiter="( ) [ ] { } , ; : .",
    string='\' ` " """',
)


@dataclass(frozen=True, slots=True, eq=False)
class CategoryMap:
    """What each node kind of one grammar means.

    `leaves` gives the category of named leaves (and of nodes whose text has no leaf, such as
    string contents); `names` are the leaf kinds that only their place tells apart, `roles` the
    places: (parent kind, field) or (grandparent kind, parent's field, parent kind, field), a
    field being None where there is none. A name without a role is a variable, or a builtin or
    constant by its text (no builtin in one of `member_fields`, where it belongs to an object).
    `tokens` are anonymous tokens that differ from `SHARED_TOKENS`, `tokens_in` those that mean
    something else under a parent kind; other words are keywords.

    `statements` and `expressions` are the kinds people name when asked where they are; `parts`
    all other kinds with children. `scopes` maps the kinds that open a scope to what it is called;
    the name comes from the fields `name_fields`, followed down, or from the parent's place in
    `named_by_parent`. `functions` are the kinds that count as functions. `type_contexts` are
    kinds whose names are types, down to one of `type_breaks`.
    """

    leaves: Mapping[str, str]
    names: frozenset[str]
    roles: Mapping[tuple[str | None, ...], str]
    statements: frozenset[str]
    expressions: frozenset[str]
    parts: frozenset[str]
    scopes: Mapping[str, str]
    functions: frozenset[str]
    tokens: Mapping[str, str] = field(default_factory=dict)
    tokens_in: Mapping[tuple[str, str], str] = field(default_factory=dict)
    builtins: frozenset[str] = frozenset()
    member_fields: frozenset[str] = frozenset({"attribute", "property", "field"})
    constant: re.Pattern[bytes] | None = re.compile(rb"_*[A-Z][A-Z0-9_]*[A-Z0-9]_*")
    type_contexts: frozenset[str] = frozenset()
    type_breaks: frozenset[str] = frozenset()
    name_fields: tuple[str, ...] = ("name",)
    named_by_parent: Mapping[str, str] = field(default_factory=dict)
    docstring_parents: frozenset[str] = frozenset()
    doc_comment: re.Pattern[bytes] | None = None

    def token(self, token: str, parent: str) -> str:
        """The category of an anonymous token below a node of kind `parent`."""
        found = (
            self.tokens_in.get((token, parent)) or self.tokens.get(token)
            or SHARED_TOKENS.get(token)
        )  # fmt: skip
        if found:
            return found
        return "keyword" if _WORD.fullmatch(token) else "other"

    def extended(self, **changes: Any) -> CategoryMap:
        """The map of a related language: tables are added to, everything else replaced."""
        merged: dict[str, Any] = {}
        for name, value in changes.items():
            old = getattr(self, name)
            adds = isinstance(old, Mapping | frozenset)
            merged[name] = old | value if adds else value
        return replace(self, **merged)


_WORD = re.compile(r"[@#_$]*[A-Za-z][A-Za-z0-9_ -]*!?")
