"""The four levels of a syntax tree's nodes: leaf, category, statement or expression, scope."""

from __future__ import annotations

from dataclasses import dataclass

from tokenscope_core.syntax.grammar.categories import BLOCKS, CategoryMap
from tokenscope_core.syntax.grammar.languages import Grammar
from tokenscope_core.syntax.grammar.tree import ERROR, NodeTable

ANONYMOUS = "(anonymous)"
# Scopes named in a path; deeper ones are cut, or ten thousand nested lambdas would take 400 MB.
PATH_DEPTH = 50
_MAY_DECORATE = ("call target", "attribute", "")


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """For each row of a node table, what stands around and above it.

    `statement` is the kind of the nearest statement or expression, the node itself included;
    `unit` the row of the nearest statement (-1 outside of all); `scope` the path of scopes from
    the outside in, such as "class Stack > function push > if" (the outer `PATH_DEPTH` of them),
    and `function` the dotted name of the innermost function with the classes and functions around
    it ("" outside of all); `body` the row of that function (-1 outside of all).
    """

    category: list[str]
    statement: list[str]
    unit: list[int]
    scope: list[str]
    function: list[str]
    body: list[int]


def levels_of(nodes: NodeTable, text: bytes, grammar: Grammar) -> Levels:
    """Read all levels off a tree in one pass over its rows."""
    table = grammar.categories
    if table is None:
        return _without_map(nodes)
    statement, unit = _statements(nodes, table)
    scope, function, body = _scopes(nodes, text, table)
    return Levels(_Categories(nodes, text, table).all(), statement, unit, scope, function, body)


def _without_map(nodes: NodeTable) -> Levels:
    """Statement level from the grammar alone: the nearest named node that has children."""
    statement: list[str] = []
    unit: list[int] = []
    for row, parent in enumerate(nodes.parent):
        own = nodes.named[row] and not nodes.is_leaf(row)
        statement.append(nodes.kind[row] if own or parent < 0 else statement[parent])
        unit.append(row if own and parent == 0 else unit[parent] if parent >= 0 else -1)
    nothing = [""] * len(nodes)
    category = ["error" if kind == ERROR else "other" for kind in nodes.kind]
    return Levels(category, statement, unit, nothing, nothing, [-1] * len(nodes))


def _statements(nodes: NodeTable, table: CategoryMap) -> tuple[list[str], list[int]]:
    statement: list[str] = []
    unit: list[int] = []
    nameable = table.statements | table.expressions
    for row, (kind, parent) in enumerate(zip(nodes.kind, nodes.parent, strict=True)):
        above, around = (statement[parent], unit[parent]) if parent >= 0 else (kind, -1)
        # Where only an expression stands as a statement, the expression's own name says more.
        statement.append(kind if kind in nameable and nodes.named[row] else above)
        unit.append(row if kind in table.statements and nodes.named[row] else around)
    return statement, unit


def _scopes(
    nodes: NodeTable, text: bytes, table: CategoryMap
) -> tuple[list[str], list[str], list[int]]:
    scope: list[str] = []
    function: list[str] = []
    body: list[int] = []
    named: list[str] = []  # the classes and functions around, dotted
    depth: list[int] = []
    for row, (kind, parent) in enumerate(zip(nodes.kind, nodes.parent, strict=True)):
        path, inside, around, dotted, deep = (
            (scope[parent], function[parent], body[parent], named[parent], depth[parent])
            if parent >= 0
            else ("", "", -1, "", 0)
        )
        label = table.scopes.get(kind)
        if label is not None and nodes.named[row] and deep < PATH_DEPTH:
            deep += 1
            name = scope_name(row, nodes, text, table)
            path = f"{path} > {label}" if path else label
            if name is not None:
                path = f"{path} {name}"
                dotted = f"{dotted}.{name}" if dotted else name
            if kind in table.functions:
                inside, around = dotted, row
        scope.append(path)
        function.append(inside)
        body.append(around)
        named.append(dotted)
        depth.append(deep)
    return scope, function, body


def scope_name(row: int, nodes: NodeTable, text: bytes, table: CategoryMap) -> str | None:
    """What the class or function that a node opens is called; None for blocks and all others."""
    kind = nodes.kind[row]
    if not nodes.named[row] or table.scopes.get(kind, "if") in BLOCKS:
        return None
    name = _name_of(row, nodes, text, table)
    return ANONYMOUS if name is None and kind in table.functions else name


def _name_of(row: int, nodes: NodeTable, text: bytes, table: CategoryMap) -> str | None:
    """The text in the first of the name fields, followed down through further such fields.

    A function without a name takes that of the variable or property it is given to.
    """
    at, found = row, _name_field(row, nodes, table)
    while found is not None:
        at, found = found, _name_field(found, nodes, table)
    parent = nodes.parent[row]
    if at == row and parent >= 0 and nodes.kind[row] in table.functions:
        place = table.named_by_parent.get(nodes.kind[parent])
        at = (nodes.child_by_field(parent, place) if place else None) or row
    if at == row:
        return None
    name = text[nodes.start[at] : nodes.end[at]].decode("utf-8", "replace")
    return " ".join(name.split()) or None


def _name_field(row: int, nodes: NodeTable, table: CategoryMap) -> int | None:
    if nodes.is_leaf(row):
        return None
    children = (nodes.child_by_field(row, field) for field in table.name_fields)
    return next((child for child in children if child is not None), None)


class _Categories:
    """Categories of all rows; what depends on kinds alone is looked up once."""

    def __init__(self, nodes: NodeTable, text: bytes, table: CategoryMap) -> None:
        self.nodes, self.text, self.table = nodes, text, table
        self.known: dict[tuple[object, ...], str] = {}
        self.docstrings = self._docstrings()
        self.decorated = "decorator" in nodes.kind

    def all(self) -> list[str]:
        nodes, table = self.nodes, self.table
        categories: list[str] = []
        as_type: list[bool] = []
        documents: list[bool] = []
        for row, (kind, parent) in enumerate(zip(nodes.kind, nodes.parent, strict=True)):
            typed = parent >= 0 and as_type[parent]
            as_type.append(
                (kind in table.type_contexts and nodes.named[row])
                or (typed and kind not in table.type_breaks)
            )
            documents.append(row in self.docstrings or (parent >= 0 and documents[parent]))
            category = self._name(row, typed) if kind in table.names else self._kind(row)
            if category == "comment" and table.doc_comment is not None:
                documents[row] |= bool(table.doc_comment.match(self.text, nodes.start[row]))
            if category in ("string", "comment") and documents[row]:
                category = "docstring"
            categories.append(category)
        return categories

    def _kind(self, row: int) -> str:
        """What a kind means, in view of its parent's at most."""
        nodes, table = self.nodes, self.table
        parent = nodes.parent[row]
        key = (nodes.kind[row], nodes.named[row], nodes.kind[parent] if parent >= 0 else "")
        if key not in self.known:
            kind, named, above = key
            if kind == ERROR:
                self.known[key] = "error"
            elif named:
                self.known[key] = table.leaves.get(kind, "other")
            else:
                self.known[key] = table.token(kind, above)
        return self.known[key]

    def _name(self, row: int, typed: bool) -> str:
        """What a name is: by its place, else by its text."""
        nodes, table = self.nodes, self.table
        parent = nodes.parent[row]
        above = nodes.parent[parent] if parent >= 0 else -1
        near = (nodes.kind[parent] if parent >= 0 else None, nodes.field[row])
        key = (
            nodes.kind[above] if above >= 0 else None,
            nodes.field[parent] if parent >= 0 else None,
            *near,
            nodes.kind[row],
        )
        role = self.known.get(key)
        if role is None:
            role = table.roles.get(key[:4]) or table.roles.get(near) or ""
            self.known[key] = role
        if self.decorated and role in _MAY_DECORATE and self._decorates(row):
            return "decorator"
        if role and role != "call target":
            return role
        if typed and not role:
            return "type"
        default = table.leaves.get(nodes.kind[row], "variable")
        spelled = self.text[nodes.start[row] : nodes.end[row]]
        alone = nodes.field[row] not in table.member_fields
        candidate = alone and (role or default == "variable")
        if candidate and spelled.decode("utf-8", "replace") in table.builtins:
            return "builtin"
        if role or default != "variable":
            return role or default
        return "constant" if table.constant and table.constant.fullmatch(spelled) else default

    def _decorates(self, row: int) -> bool:
        """Whether a name is that of a decorator: the last one in `@app.route("/")`."""
        nodes = self.nodes
        above = nodes.parent[row]
        if nodes.field[row] in self.table.member_fields:
            row, above = above, nodes.parent[above]
        while above >= 0 and nodes.field[row] == "function":
            row, above = above, nodes.parent[above]
        return above >= 0 and nodes.kind[above] == "decorator"

    def _docstrings(self) -> set[int]:
        """Strings that stand alone as the first statement of what can carry a docstring."""
        nodes, found = self.nodes, set()
        for row in range(len(nodes)):
            if nodes.kind[row] not in self.table.docstring_parents or not nodes.named[row]:
                continue
            body = row if row == 0 else nodes.child_by_field(row, "body")
            if body is None:
                continue
            first = next(
                (c for c in nodes.children(body) if nodes.named[c] and nodes.kind[c] != "comment"),
                None,
            )
            if first is not None and nodes.kind[first] == "expression_statement":
                inner = list(nodes.children(first))
                if len(inner) == 1 and nodes.kind[inner[0]] in ("string", "concatenated_string"):
                    found.add(inner[0])
        return found
