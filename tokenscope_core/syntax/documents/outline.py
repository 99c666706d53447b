"""The nodes of a syntax tree that a person would name, as flat columns: what an icicle draws."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tokenscope_core.syntax.documents.regions import CodeRegion, line_spans
from tokenscope_core.syntax.documents.texts import MARKDOWN, PLAIN, regions_in
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.grammar.levels import scope_name
from tokenscope_core.syntax.grammar.pieces import CONTENT
from tokenscope_core.syntax.grammar.tree import ERROR, NodeTable, parse
from tokenscope_core.syntax.time_budget import Budget, OutOfTime


@dataclass(slots=True, eq=False)
class Outline:
    """Nodes in preorder; row 0 is the whole text.

    `parent` is a row (-1 for the first), `start` and `end` are bytes, `kind` the grammar's name of
    the node, `name` what a class or function is called ("class Stack"; "" for all others), `leaf`
    whether there is nothing below it. No node spans exactly what its parent does, but for row 0.
    """

    parent: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    leaf: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kind)

    def add(self, parent: int, start: int, end: int, kind: str, name: str, *, leaf: bool) -> int:
        """A node's row. One that spans what its parent does, below row 0, becomes one with it:
        the inner kind says more than the outer, unless it is a mere leaf."""
        if parent > 0 and (start, end) == (self.start[parent], self.end[parent]):
            if leaf:
                self.leaf[parent] = True
            elif not self.name[parent]:
                self.kind[parent], self.name[parent] = kind, name
            return parent
        self.parent.append(parent)
        self.start.append(start)
        self.end.append(end)
        self.kind.append(kind)
        self.name.append(name)
        self.leaf.append(leaf)
        return len(self) - 1


def outline(text: bytes, language: str, lead: int = 0) -> Outline:
    """The statements, expressions, scopes and leaves of a text; time linear in its length.

    Of a Markdown text the tree of the code in each fence, or a leaf of kind "code" where it is in
    no known language; prose is in no node but the first. Of a plain text each line is a leaf. Code
    that takes the parser longer than the `Budget` of the text is a leaf of kind "code", too.

    Args:
        text: any.
        language: as in `cut_text`.
        lead: as in `cut_text`.

    Raises:
        RequestError: no such language.
    """
    found = Outline()
    budget = Budget.of(text)
    regions = regions_in(text, language, lead)
    if language not in (MARKDOWN, PLAIN):
        _add_tree(found, text, regions[0], -1, budget)
        return found
    found.add(-1, 0, len(text), "document", "", leaf=False)
    for start, end in line_spans(text, 0, len(text)) if language == PLAIN else ():
        found.add(0, start, end, "line", "", leaf=True)
    for region in regions:
        if region.language is not None:
            _add_tree(found, text, region, 0, budget.share())
        elif region.end > region.start:
            found.add(0, region.start, region.end, "code", "", leaf=True)
    return found


def _add_tree(found: Outline, text: bytes, region: CodeRegion, below: int, budget: Budget) -> None:
    read, code = grammar(region.language or ""), region.code(text)
    try:
        nodes = parse(code, read, budget)
    except OutOfTime:
        found.add(below, region.start, region.end, "code", "", leaf=True)
        return
    starts = region.starts_in_text(np.array(nodes.start, dtype=np.int64)).tolist()
    ends = region.ends_in_text(np.array(nodes.end, dtype=np.int64)).tolist()
    table = read.categories
    nameable = None if table is None else table.statements | table.expressions | table.scopes.keys()
    # The row of each node in the outline, or of the nearest one above it that has a row.
    rows = [found.add(below, region.start, region.end, nodes.kind[0], "", leaf=False)]
    for node in range(1, len(nodes)):
        above = rows[nodes.parent[node]]
        leaf = nodes.is_leaf(node)
        if nodes.start[node] == nodes.end[node] or not (leaf or _is_named(node, nodes, nameable)):
            rows.append(above)
            continue
        kind = nodes.kind[node]
        called = None if table is None or leaf else scope_name(node, nodes, code, table)
        name = "" if table is None or called is None else f"{table.scopes[kind]} {called}"
        rows.append(found.add(above, starts[node], ends[node], kind, name, leaf=leaf))


def _is_named(node: int, nodes: NodeTable, nameable: frozenset[str] | None) -> bool:
    """Whether a person would name a node that has others below it."""
    kind = nodes.kind[node]
    if kind == ERROR or kind in CONTENT:
        return True
    return nodes.named[node] and (nameable is None or kind in nameable)
