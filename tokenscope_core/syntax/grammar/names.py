"""Which names a Python text binds where, and which it uses: scopes from the tree alone.

The rules are those of the Language Reference, 4.2: a name bound anywhere in a function is local
to it, class bodies are not seen from the functions inside, comprehensions have a scope of their
own, `global` binds in the module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tokenscope_core.syntax.grammar.tree import NodeTable

ScopeKind = Literal["module", "function", "class", "comprehension"]

_SCOPES: dict[str, ScopeKind] = {
    "module": "module",
    "function_definition": "function",
    "lambda": "function",
    "class_definition": "class",
    "list_comprehension": "comprehension",
    "set_comprehension": "comprehension",
    "dictionary_comprehension": "comprehension",
    "generator_expression": "comprehension",
}
_PATTERNS = frozenset(
    ["pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern",
     "dictionary_splat_pattern", "typed_parameter", "as_pattern_target", "splat_pattern",
     "tuple", "list", "list_splat"]
)  # fmt: skip
_BINDING = frozenset(
    [
        ("assignment", "left"), ("augmented_assignment", "left"), ("for_statement", "left"),
        ("for_in_clause", "left"), ("named_expression", "name"), ("as_pattern", "alias"),
        ("parameters", None), ("lambda_parameters", None), ("default_parameter", "name"),
        ("typed_default_parameter", "name"), ("function_definition", "name"),
        ("class_definition", "name"), ("aliased_import", "alias"), ("global_statement", None),
        ("nonlocal_statement", None), ("case_pattern", None), ("dict_pattern", None),
        ("parameters", "name"),
    ]
)  # fmt: skip
_NO_USE = frozenset(
    [("attribute", "attribute"), ("keyword_argument", "name"), ("keyword_pattern", None)]
)
# What belongs to a definition but is evaluated around it.
_OUTSIDE = frozenset(
    [("class_definition", "superclasses"), ("default_parameter", "value"),
     ("typed_default_parameter", "value")]
)  # fmt: skip
_IMPORTS = frozenset(
    ["import_statement", "import_from_statement", "future_import_statement", "relative_import",
     "aliased_import"]
)  # fmt: skip


@dataclass(slots=True)
class NameScope:
    """A region in which names live: where it is, what it binds first at which byte.

    `type_parameters` are seen from all that is inside, be it a class (PEP 695).
    """

    kind: ScopeKind
    row: int
    outer: int  # index of the scope around, -1 for the module
    bound: dict[str, int] = field(default_factory=dict)
    type_parameters: set[str] = field(default_factory=set)

    def bind(self, name: str, at: int) -> None:
        """Remember the first place."""
        self.bound[name] = min(at, self.bound.get(name, at))


@dataclass(frozen=True, slots=True)
class Use:
    """A name read at a row, in a scope; `called` if it is called, `typed` in an annotation."""

    name: str
    row: int
    scope: int
    called: bool
    typed: bool


@dataclass(slots=True)
class Names:
    """All scopes of a text, outer ones first, all uses in order, and what makes both unsure."""

    scopes: list[NameScope]
    uses: list[Use]
    star_import: bool = False

    def visible(self, use: Use, at: int) -> NameScope | None:
        """The scope that binds a used name, None where no visible one does.

        `at` is the byte of the use: a class body looks further out for what it binds only later.
        """
        index, own = use.scope, self.scopes[use.scope]
        while index >= 0:
            scope = self.scopes[index]
            seen = scope.kind != "class" or scope is own or use.name in scope.type_parameters
            # The annotations of a method are read in the class.
            seen = seen or (use.typed and index == own.outer)
            if use.name in scope.bound and seen:
                later = scope.kind == "class" and scope.bound[use.name] > at
                around = Use(use.name, use.row, scope.outer, use.called, use.typed)
                return (self.visible(around, at) if later else None) or scope
            index = scope.outer
        return None


def names_of(nodes: NodeTable, text: bytes) -> Names:
    """Collect bindings and uses in one pass over the rows."""
    names = Names([], [])
    scope_of: list[int] = []
    typed: list[bool] = []
    for row, (kind, parent) in enumerate(zip(nodes.kind, nodes.parent, strict=True)):
        scope = scope_of[parent] if parent >= 0 else -1
        if parent >= 0 and (
            (nodes.kind[parent], nodes.field[row]) in _OUTSIDE or _is_first_iterable(row, nodes)
        ):
            scope = names.scopes[scope].outer
        if (row == 0 or kind in _SCOPES) and nodes.named[row]:
            names.scopes.append(NameScope(_SCOPES.get(kind, "module"), row, scope))
            scope = len(names.scopes) - 1
        scope_of.append(scope)
        typed.append((kind == "type" and nodes.named[row]) or (parent >= 0 and typed[parent]))
        if kind == "wildcard_import":
            names.star_import = True
        elif kind == "identifier":
            spelled = text[nodes.start[row] : nodes.end[row]].decode("utf-8", "replace")
            _sort(names, nodes, row, scope, spelled, typed[row])
    return names


def _is_first_iterable(row: int, nodes: NodeTable) -> bool:
    """What a comprehension goes over first is evaluated around it."""
    clause = nodes.parent[row]
    if nodes.kind[clause] != "for_in_clause" or nodes.field[row] != "right":
        return False
    body = nodes.parent[clause] + 2  # after the bracket
    return _SCOPES.get(nodes.kind[nodes.parent[clause]]) == "comprehension" and (
        clause == nodes.last[body] + 1
    )


def _sort(names: Names, nodes: NodeTable, row: int, scope: int, spelled: str, typed: bool) -> None:
    """Is this identifier a binding, a use, or neither?"""
    top, above = row, nodes.parent[row]
    while above > 0 and nodes.kind[above] in _PATTERNS:
        top, above = above, nodes.parent[above]
    kind, place = nodes.kind[above], nodes.field[top]
    if typed and _declares_type(row, nodes):
        names.scopes[scope].bind(spelled, nodes.start[row])
        names.scopes[scope].type_parameters.add(spelled)
    elif kind == "as_pattern" and nodes.kind[nodes.parent[above]] == "case_pattern":
        names.scopes[scope].bind(spelled, nodes.start[row])
    elif kind == "dotted_name":
        _sort_dotted(names, nodes, row, above, scope, spelled)
    elif (kind, place) in _BINDING:
        _bind(names, nodes, row, kind, scope, spelled)
        if kind == "augmented_assignment":
            names.uses.append(Use(spelled, row, scope, called=False, typed=False))
    elif (kind, place) not in _NO_USE and kind not in _IMPORTS:
        called = (kind, place) == ("call", "function")
        names.uses.append(Use(spelled, row, scope, called, typed))


def _declares_type(row: int, nodes: NodeTable) -> bool:
    """Whether this is the name of a type parameter or of a type alias (PEP 695)."""
    child, above = row, nodes.parent[row]
    while nodes.kind[above] in ("type", "splat_type") or (
        nodes.kind[above] in ("constrained_type", "generic_type") and child == above + 1
    ):
        child, above = above, nodes.parent[above]
    if nodes.kind[above] == "type_alias_statement":
        return nodes.field[child] == "left"
    if nodes.kind[above] != "type_parameter":
        return False
    alias = nodes.parent[nodes.parent[above]]
    return nodes.field[above] == "type_parameters" or (
        nodes.field[alias] == "left" or nodes.kind[alias] == "type_alias_statement"
    )


def _bind(names: Names, nodes: NodeTable, row: int, kind: str, scope: int, spelled: str) -> None:
    target, at = names.scopes[scope], nodes.start[row]
    if kind in ("function_definition", "class_definition"):
        target = names.scopes[target.outer]  # a definition's name is bound around it
    elif kind == "global_statement":
        names.scopes[0].bind(spelled, at)
    elif kind == "named_expression":
        while target.kind == "comprehension":  # PEP 572
            target = names.scopes[target.outer]
    target.bind(spelled, at)


def _sort_dotted(
    names: Names, nodes: NodeTable, row: int, dotted: int, scope: int, spelled: str
) -> None:
    """A name with dots: in an import its first part is bound, in a pattern alone it is, too."""
    above, first = nodes.parent[dotted], row == dotted + 1
    kind, place = nodes.kind[above], nodes.field[dotted]
    if not first:
        return
    if kind in _IMPORTS:
        if place == "name" and kind != "aliased_import":
            names.scopes[scope].bind(spelled, nodes.start[row])
    elif kind in ("case_pattern", "keyword_pattern") and nodes.last[dotted] == row:
        names.scopes[scope].bind(spelled, nodes.start[row])
    else:
        names.uses.append(Use(spelled, row, scope, called=False, typed=False))
