"""The rooms of the house from the ground up, and what imports what.

python tests/architecture/rooms.py    # writes docs/rooms.md
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "rooms.md"

# A room may import the rooms before it. Ground modules stand first, in their own order.
CORE = (
    "root", "caching", "errors", "failures", "settings", "progress",
    "record", "display", "models", "store", "syntax", "prompts", "decoding", "branches",
    "comparison", "attention", "sessions", "sharing", "notebook", "export", "interchange", "jobs",
    "shell",
)  # fmt: skip
UI = (
    "launch", "pages",
    "drawing", "components", "server", "runs", "request", "trace", "branches", "compare",
    "syntax_view", "attention", "two_models", "share", "guide", "shell",
)  # fmt: skip
ROOMS = {"tokenscope_core": CORE, "tokenscope_ui": UI}
# Doors: what is run or imported by its package's name, and may use every room.
DOORS = ("__init__", "__main__")


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the program by its dotted name, with its file."""
    files = [ROOT / "app.py"]
    for folder in (*ROOMS, "pages"):
        files += sorted((ROOT / folder).rglob("*.py"))
    found = {}
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(name: str, file: Path) -> set[str]:
    """The dotted names that a module imports: at its top, for annotations, in functions."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


@functools.cache
def imports() -> dict[str, set[str]]:
    """What each module imports of the program's own modules, packages on the way left out."""
    known = modules()
    graph = {}
    for name, file in known.items():
        named = imported(name, file) & known.keys() - {name}
        graph[name] = {n for n in named if not any(other.startswith(f"{n}.") for other in named)}
    return graph


def room_of(module: str) -> str:
    """The room of a module of the two packages; `__init__` of the package itself."""
    return [*module.split("."), "__init__"][1]


def between_rooms(package: str) -> Iterator[tuple[str, str, str, str]]:
    """Each import of a package's module by one in another room: both modules, both rooms."""
    for name, targets in imports().items():
        for target in sorted(targets):
            if name.split(".")[0] == target.split(".")[0] == package:
                here, there = room_of(name), room_of(target)
                if here != there and here not in DOORS:
                    yield name, target, here, there


def table() -> str:
    """Which rooms below it each room imports from, as Markdown. Without counts, which every change
    of an import would change."""
    lines = [
        "<!-- Written by `python tests/architecture/rooms.py`; a test compares. -->",
        "A row imports from what it names; nothing is imported upwards.",
    ]
    for package, rooms in ROOMS.items():
        found = {(here, there) for _, _, here, there in between_rooms(package)}
        there_is = {room_of(name) for name in modules() if name.split(".")[0] == package}
        lines += ["", f"**`{package}`**, from the top down", ""]
        lines += ["| room | imports from |", "|---|---|"]
        for room in reversed(rooms):
            if room in there_is:
                below = [other for other in rooms if (room, other) in found]
                lines.append(f"| `{room}` | {', '.join(below) or '–'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
