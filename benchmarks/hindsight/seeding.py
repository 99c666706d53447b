"""Seven kinds of bugs, put into working functions one at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "+": "-", "-": "+", "*": "+", "/": "*", "//": "/", "%": "//", "and": "or", "or": "and",
    "+=": "-=", "-=": "+=", "*=": "+=",
}  # fmt: skip
_CALLS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "sorted",
    "append": "extend", "extend": "append", "startswith": "endswith", "endswith": "startswith",
    "lower": "upper", "upper": "lower", "lstrip": "rstrip", "rstrip": "lstrip", "ord": "chr",
    "floor": "ceil", "ceil": "floor", "keys": "values", "values": "keys", "find": "rfind",
    "split": "splitlines", "int": "float", "set": "list", "sum": "max", "add": "discard",
}  # fmt: skip
_OPERATOR = re.compile(rb"<=|>=|==|!=|<|>|//=?|[-+*/%]=?|\band\b|\bor\b")

KINDS = ("comparison", "arithmetic", "number", "variable", "logic", "call", "arguments")


@dataclass(frozen=True, slots=True)
class Bug:
    """A function with one bug: its text, the kind, and the line that it is on, from 1."""

    text: str
    kind: str
    line: int


def bugs(text: str) -> Iterator[Bug]:
    """Every bug of the seven kinds that can be put into a text, in its order.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = ast.parse(text)
    source = _Source(text)
    known = sorted(
        {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        | {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    )
    for node in ast.walk(tree):
        for kind, start, end, instead in _changes(node, source, known):
            changed = (source.data[:start] + instead + source.data[end:]).decode()
            line = source.data[:start].count(b"\n") + 1
            try:
                ast.parse(changed)
            except SyntaxError:
                continue
            yield Bug(changed, kind, line)


class _Source:
    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.lines = [0]
        for line in self.data.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.lines[node.lineno - 1] + node.col_offset,
            self.lines[node.end_lineno - 1] + node.end_col_offset,
        )

    def of(self, node: ast.expr) -> bytes:
        start, end = self.span(node)
        return self.data[start:end]

    def operator(self, left: ast.expr, right: ast.expr) -> tuple[int, int, bytes] | None:
        start, end = self.span(left)[1], self.span(right)[0]
        found = _OPERATOR.search(self.data, start, end)
        swapped = _SWAPS.get(found[0].decode()) if found else None
        return None if found is None or swapped is None else (*found.span(), swapped.encode())


_Change = tuple[str, int, int, bytes]


def _changes(node: ast.AST, source: _Source, known: list[str]) -> Iterator[_Change]:
    match node:
        case ast.Compare(left=left, comparators=[right, *_]):
            yield from _operator("comparison", source, left, right)
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            yield from _operator("arithmetic", source, left, right)
        case ast.BoolOp(values=[left, right, *_]):
            yield from _operator("logic", source, left, right)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield ("logic", source.span(node)[0], source.span(operand)[0], b"")
        case ast.Constant(value=value) if type(value) is int and source.of(node).isdigit():
            yield ("number", *source.span(node), str(value + 1).encode())
        case ast.Name(id=name, ctx=ast.Load()) if name in known:
            others = [other for other in known if other != name]
            if others:
                other = others[(known.index(name) + node.lineno) % len(others)]
                yield ("variable", *source.span(node), other.encode())
        case ast.Call(func=func, args=args):
            yield from _call(source, func)
            if len(args) >= 2 and not any(isinstance(arg, ast.Starred) for arg in args[:2]):
                first, second = source.of(args[0]), source.of(args[1])
                start, end = source.span(args[0])[0], source.span(args[1])[1]
                between = source.data[source.span(args[0])[1] : source.span(args[1])[0]]
                if first != second:
                    yield ("arguments", start, end, second + between + first)


def _operator(kind: str, source: _Source, left: ast.expr, right: ast.expr) -> Iterator[_Change]:
    found = source.operator(left, right)
    if found is not None:
        yield (kind, *found)


def _call(source: _Source, func: ast.expr) -> Iterator[_Change]:
    name = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
    if name in _CALLS:
        end = source.span(func)[1]
        yield ("call", end - len(name), end, _CALLS[name].encode())
