"""A parsed text as flat columns, one row a node: no recursion, whatever the nesting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Parser, Tree

from tokenscope_core.syntax.grammar.languages import Grammar
from tokenscope_core.syntax.time_budget import Budget, parse_within

ERROR = "ERROR"
ERROR_ID = 0xFFFF  # the one kind that no grammar lists


@dataclass(frozen=True, slots=True, eq=False)
class NodeTable:
    """The nodes of a syntax tree in preorder; row 0 is the root.

    `kind` is the grammar's name of the node, `field` the name of its place in the parent (None
    where it has none), `parent` a row (-1 for the root), `last` the last row of its subtree,
    `start` and `end` bytes. A leaf is a node without children. `in_error` marks ERROR nodes and
    all below them; `missing` the rows that the parser made up to go on.
    """

    kind: list[str]
    named: list[bool]
    field: list[str | None]
    parent: list[int]
    last: list[int]
    start: list[int]
    end: list[int]
    in_error: list[bool]
    missing: list[int]

    def __len__(self) -> int:
        return len(self.kind)

    def is_leaf(self, row: int) -> bool:
        """Whether the node has no children."""
        return self.last[row] == row

    def children(self, row: int) -> Iterator[int]:
        """The rows of the direct children, in order."""
        child, last = row + 1, self.last[row]
        while child <= last:
            yield child
            child = self.last[child] + 1

    def child_by_field(self, row: int, field: str) -> int | None:
        """The first child in that place, or None."""
        return next((c for c in self.children(row) if self.field[c] == field), None)


def parse(text: bytes, grammar: Grammar, budget: Budget) -> NodeTable:
    """Parse any bytes; what is no valid code comes back as ERROR nodes.

    Raises:
        OutOfTime: it takes longer than the budget allows.
    """
    readable = grammar.readable(text)
    table = node_table(parse_within(Parser(grammar.language), readable, budget), grammar)
    if grammar.rewrite is not None and readable is not text:
        for row in range(len(table)):
            at = table.start[row]
            # A sign that stood for another is called what it is.
            if table.is_leaf(row) and at < len(text) and readable[at] != text[at]:
                table.kind[row] = chr(text[at])
    return table


def has_errors(text: bytes, grammar: Grammar, budget: Budget) -> bool:
    """Whether the parser finds anything wrong with a text.

    Raises:
        OutOfTime: it takes longer than the budget allows.
    """
    readable = grammar.readable(text)
    return parse_within(Parser(grammar.language), readable, budget).root_node.has_error


def no_tree() -> NodeTable:
    """What there is of a text that took too long to parse: a root that spans nothing."""
    return NodeTable([""], [True], [None], [-1], [0], [0], [0], [False], [])


def node_table(tree: Tree, grammar: Grammar) -> NodeTable:
    """Read a tree into columns."""
    names, is_named, fields = grammar.kind_names, grammar.kind_is_named, grammar.field_names
    kinds: list[str] = []
    named: list[bool] = []
    field: list[str | None] = []
    parents: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    in_error: list[bool] = []
    missing: list[int] = []
    last: list[int] = []
    ancestors = [-1]
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        row, parent, kind = len(kinds), ancestors[-1], node.kind_id
        start, end = node.byte_range
        error = kind == ERROR_ID
        kinds.append(ERROR if error else names[kind])
        named.append(error or is_named[kind])
        field.append(fields[cursor.field_id or 0])
        parents.append(parent)
        starts.append(start)
        ends.append(end)
        in_error.append(error or (parent >= 0 and in_error[parent]))
        last.append(row)
        if start == end and node.is_missing:
            missing.append(row)
        if cursor.goto_first_child():
            ancestors.append(row)
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return NodeTable(
                    kinds, named, field, parents, last, starts, ends, in_error, missing
                )
            last[ancestors.pop()] = len(kinds) - 1
