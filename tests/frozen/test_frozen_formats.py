"""What any release wrote opens, and says what it said when it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from frozen import described

import tokenscope_core as ts

FOLDER = Path(__file__).parent
SAYS = ".says.json"
FILES = sorted(path.with_name(path.name.removesuffix(SAYS)) for path in FOLDER.glob(f"*/*{SAYS}"))
STORES = [path for path in FILES if path.name == "store.zip"]
# What every release is to have one of, and more than that if it likes.
KINDS = {*described.OPENED, "store"}


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def kind_of(path: Path) -> str:
    return path.stem.partition("-")[0]


def said(path: Path) -> Any:
    return json.loads(path.with_name(path.name + SAYS).read_text("utf-8"))


def lacking(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where something was said that is not found; a later version may find more, by other names."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name in found:
                yield from lacking(value, found[name], f"{place}/{name}")
            else:
                yield f"{place}/{name} is not there"
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from lacking(one, other, f"{place}/{index}")
    elif type(expected) is not type(found) or expected != found:
        yield f"{place}: {expected!r} was written, {found!r} is read"


@pytest.mark.parametrize("path", [p for p in FILES if p not in STORES], ids=label)
def test_what_was_written_is_read(path: Path) -> None:
    found = json.loads(json.dumps(described.plain(described.OPENED[kind_of(path)](path))))
    assert list(lacking(said(path), found)) == []


@pytest.mark.parametrize("path", STORES, ids=label)
def test_a_store_opens_with_all_that_is_in_it(path: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        packed.extractall(tmp_path)
    expected = said(path)
    store = ts.Store(tmp_path)
    try:
        held = described.of_store(store)
        held["part"] = described.plain(store.get_session("share/xyz"))
        held["capture"] = described.plain(store.get_capture("capture"))
        trace = store.get(expected["trace"]["key"])
        assert trace is not None
        held["trace"] = json.loads(json.dumps(described.plain(described.trace(trace))))
    finally:
        store.close()
    assert list(lacking(expected, held)) == []


def test_every_kind_of_file_is_frozen_and_every_file_says_what_it_is() -> None:
    assert {kind_of(path) for path in FILES} == KINDS
    data = {p for p in FOLDER.glob("*/*") if p.parent.name != "__pycache__"}
    unsaid = {p for p in data if not p.name.endswith(SAYS)} - set(FILES)
    assert not unsaid, f"nobody says what is in {unsaid}"


def test_a_difference_is_seen() -> None:
    path = next(path for path in FILES if kind_of(path) == "trace")
    changed = said(path)
    changed["metrics"]["entropy"]["values"][-1] += 1e-9
    changed["token_ids"]["values"].append(1)
    changed["weight"] = 1
    found = list(lacking(changed, said(path)))
    assert [line.partition(":")[0] for line in found if "entropy" in line]
    assert len(found) == 3


def test_a_release_is_never_written_again() -> None:
    made = subprocess.run(
        [sys.executable, str(FOLDER / "make.py"), "2026-12-01"],
        env=os.environ | {"PYTHONPATH": f"{FOLDER.parents[1]}:{FOLDER.parent / 'support'}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 2
    assert "never written again" in made.stderr
