"""Public functions and records of arrays, and what their docstrings say of these.

python tests/architecture/docstrings.py    # lists those that say too little
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from architecture.rooms import modules

# Types that leave the dtype open: a docstring says what it is.
OPEN = re.compile(r"\b(torch\.Tensor|ndarray|NDArray\[(Any|np\.floating|np\.integer|np\.number)\])")
SHAPE = re.compile(r"\[(?:\.\.\.|\w[\w +-]*)(?:, (?:\.\.\.|\w[\w +-]*))*\]")
DTYPE = re.compile(r"\b(bool|u?int(8|16|32|64)|float(16|32|64)|dtype)\b")
WITHOUT_UNIT = re.compile(r"NDArray\[np\.(bool|str|object)_\]")
# What a number in an array counts or measures. A word that any sentence may hold is not in it.
UNIT = re.compile(
    r"\b(nats?|bits?|bytes?|tokens?|positions?|ids?|ind(ex|ices)|logits?|milliseconds|flags?|"
    r"ranks?|probabilit(y|ies)|shares?|weights?|sums? to 1|0 to 1|how many|"
    r"units? of|standard errors|without (a )?unit)\b",
    re.IGNORECASE,
)


@functools.cache
def core() -> dict[str, ast.Module]:
    """Every module of the core by its dotted name, read."""
    return {
        name: ast.parse(file.read_text(encoding="utf-8"))
        for name, file in modules().items()
        if name.split(".")[0] == "tokenscope_core"
    }


@functools.cache
def arrays(module: str) -> re.Pattern[str]:
    """Annotations of a module that are arrays: the types, and the core's own names for them."""
    names = {"NDArray", "ndarray", "torch.Tensor", *_aliases(module)}
    for node in ast.walk(core()[module]):
        if isinstance(node, ast.ImportFrom) and node.module in core():
            imported = {alias.name for alias in node.names}
            names |= imported & _aliases(node.module)
    return re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")


def _aliases(module: str) -> set[str]:
    """The names that a module gives to types of arrays."""
    return {
        target.id
        for node in core()[module].body
        if isinstance(node, ast.Assign) and re.match(r"(npt\.)?NDArray\[", ast.unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def of_arrays() -> Iterator[tuple[str, str, str]]:
    """Each public function, and each class with fields, of arrays by its dotted name, with its
    annotations and its docstring; that of the class stands beside a method's own."""
    for module, tree in core().items():
        for name, types, text in _annotated(module, tree.body, ""):
            held = [a for a in types if arrays(module).search(a)]
            if held:
                yield name, "; ".join(held), text


def says_too_little() -> dict[str, str]:
    """Those whose docstring names no shape, no unit, or no dtype where the type leaves it open."""
    found = {}
    for name, types, text in of_arrays():
        asked = {"shape": SHAPE}
        if not WITHOUT_UNIT.fullmatch(types):
            asked["unit"] = UNIT
        if OPEN.search(types):
            asked["dtype"] = DTYPE
        lacking = [what for what, form in asked.items() if not form.search(text)]
        if lacking:
            found[name] = " and ".join(lacking)
    return found


def _annotated(
    where: str, body: list[ast.stmt], about: str
) -> Iterator[tuple[str, list[str], str]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            own = ast.get_docstring(node) or ""
            fields = [ast.unparse(f.annotation) for f in node.body if isinstance(f, ast.AnnAssign)]
            yield f"{where}.{node.name}", fields, own
            yield from _annotated(f"{where}.{node.name}", node.body, own)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _public(node.name):
            given = node.args
            every = (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg)
            written = [a.annotation for a in every if a is not None]
            annotations = [ast.unparse(a) for a in (*written, node.returns) if a is not None]
            text = f"{about}\n{ast.get_docstring(node) or ''}"
            yield f"{where}.{node.name}", annotations, text


def _public(name: str) -> bool:
    return not name.startswith("_") or name in {"__init__", "__call__"}


if __name__ == "__main__":
    for function, lacking in says_too_little().items():
        print(f"{function}: {lacking}")
