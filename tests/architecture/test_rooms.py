"""The law of the house: rooms in one order, no circles, no crowds, tests beside what they test."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest
from architecture.rooms import (
    CORE,
    DOORS,
    ROOMS,
    ROOT,
    TABLE,
    UI,
    between_rooms,
    imports,
    modules,
    room_of,
    table,
)

MOST_MODULES, MOST_LINES = 20, 400
OWN_CODE = (
    "app.py", "pages", "tokenscope_core", "tokenscope_ui", "benchmarks", "docs_tools", "models",
    "tests",
)  # fmt: skip
# Folders of tests that belong to no room: pages as a whole, in a browser and without; the shape of
# the house, its files and formats; what several tests share.
ELSEWHERE = {
    "architecture", "benchmarks", "browser", "docs", "engine_answers", "foreign_samples", "frozen",
    "ground", "installation", "notebooks", "pages", "support", "syntax_samples", "ui",
}  # fmt: skip


@pytest.mark.parametrize("package", ROOMS)
def test_every_module_is_in_a_room(package: str) -> None:
    rooms = {room_of(name) for name in modules() if name.split(".")[0] == package}
    assert rooms - {*DOORS} == set(ROOMS[package])


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_downwards_only(package: str) -> None:
    place = {room: i for i, room in enumerate(ROOMS[package])}
    upwards = [
        f"{name} imports {target}"
        for name, target, here, there in between_rooms(package)
        if there in DOORS or place[there] > place[here]
    ]
    assert upwards == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(f"imports form a circle: {' -> '.join(error.args[1])}")


def test_inner_rooms_have_an_order_too() -> None:
    graph: dict[str, set[str]] = {}
    for name, targets in imports().items():
        inner = ".".join(name.split(".")[:3])
        ends = {".".join(target.split(".")[:3]) for target in targets}
        graph.setdefault(inner, set()).update(ends - {inner})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"inner rooms form a circle: {' -> '.join(error.args[1])}")


def test_no_room_is_crowded() -> None:
    folders = Counter(
        file.parent for file in modules().values() if file.stem not in DOORS
    ) | Counter(file.parent for file in (ROOT / "tests").rglob("test_*.py"))
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder, count in folders.items()
        if count > MOST_MODULES
    }
    assert crowded == {}


def test_no_file_is_too_long_to_be_read() -> None:
    files = [
        file
        for part in OWN_CODE
        for file in ([ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py"))
        if "build" not in file.relative_to(ROOT).parts
    ]
    lines = {file: len(file.read_text("utf-8").splitlines()) for file in files}
    assert len(lines) > 400
    assert {str(f.relative_to(ROOT)): n for f, n in lines.items() if n > MOST_LINES} == {}


def test_tests_stand_in_the_rooms_of_what_they_test() -> None:
    tests = ROOT / "tests"
    assert not list(tests.glob("test_*.py"))
    folders = {folder.name for folder in tests.iterdir() if any(folder.glob("**/test_*.py"))}
    rooms = {room for room in CORE if (ROOT / "tokenscope_core" / room).is_dir()}
    assert folders - ELSEWHERE == rooms
    assert {f.name for f in (tests / "ui").iterdir() if f.is_dir()} - {"__pycache__"} <= set(UI)


def test_the_table_of_rooms_in_the_documentation_is_this_one() -> None:
    assert TABLE.read_text("utf-8") == table(), "run: python tests/architecture/rooms.py"
