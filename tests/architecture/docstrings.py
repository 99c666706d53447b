"""Public functions that take or give arrays, and what their docstrings say of these.

python tests/architecture/docstrings.py    # lists those that say too little
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from architecture.rooms import modules

ARRAYS = re.compile(r"\b(Floats|Ints|Kept|NDArray|ndarray|Tensor)\b")
SHAPE = re.compile(r"\[(?:\.\.\.|\w[\w +-]*)(?:, (?:\.\.\.|\w[\w +-]*))*\]")
UNIT = re.compile(
    r"\b(nats?|bits?|bytes?|tokens?|positions?|ids?|logits?|milliseconds|lines?|rows?|counts?|"
    r"ranks?|probabilit(?:y|ies)|shares?|weights?|sums? to 1|true|false|indices|index|numbers?|"
    r"metric|states?|unit of|standard errors|texts?)\b",
    re.IGNORECASE,
)


def of_arrays() -> Iterator[tuple[str, str]]:
    """Each such function of the core by its dotted name, with its docstring; that of the class
    stands beside a method's own."""
    for name, file in modules().items():
        if name.split(".")[0] != "tokenscope_core":
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield from _of(name, node, "")
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                about = ast.get_docstring(node) or ""
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef):
                        yield from _of(f"{name}.{node.name}", inner, about)


def says_too_little() -> dict[str, str]:
    """Those whose docstring names no shape or no unit, with what is missing."""
    found = {}
    for name, text in of_arrays():
        lacking = [
            what for what, form in (("shape", SHAPE), ("unit", UNIT)) if not form.search(text)
        ]
        if lacking:
            found[name] = " and ".join(lacking)
    return found


def _of(where: str, node: ast.FunctionDef, about: str) -> Iterator[tuple[str, str]]:
    if node.name.startswith("_"):
        return
    given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    written = [ast.unparse(a.annotation) for a in given if a.annotation is not None]
    if node.returns is not None:
        written.append(ast.unparse(node.returns))
    if ARRAYS.search(" ".join(written)):
        yield f"{where}.{node.name}", f"{about}\n{ast.get_docstring(node) or ''}"


if __name__ == "__main__":
    for function, lacking in says_too_little().items():
        print(f"{function}: {lacking}")
