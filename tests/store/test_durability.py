"""What was said to be kept is there: after a kill, beside other writers, on a disk without room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import durability

ROOT = Path(__file__).resolve().parents[2]

# What a store does that was in use before something happened to its disk.
_TRY = """
import sys, {setup_imports}
from benchmarks.durability import random_trace
from tokenscope_core import RecordError, Store
store = Store(sys.argv[1])
kept = store.put(random_trace(0))
store.put_session("kept", b"made by a person")
{setup}
for action in (
    lambda: store.put(random_trace(1)),
    lambda: store.put_session("big", b"x" * 900_000),
):
    try:
        action()
    except RecordError as error:
        print("refused:", error.action)
        print("named:", "secret" in str(error), error.found)
assert store.get_session("kept") == b"made by a person"
print("there:", store.get(kept) is not None)
"""


def run(folder: Path, setup_imports: str, setup: str) -> list[str]:
    script = _TRY.format(setup_imports=setup_imports, setup=setup)
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_writes_that_were_acknowledged_survive_a_kill(tmp_path: Path) -> None:
    found = durability.kill(tmp_path, times=4)
    assert found.acknowledged >= 4
    assert found.lost == 0


def test_a_bit_that_flips_on_the_disk_is_noticed_and_the_rest_opens(tmp_path: Path) -> None:
    found = durability.flip(tmp_path, times=40)
    assert found.flips == 40
    assert found.silent == 0


def test_processes_that_share_a_folder_lose_nothing(tmp_path: Path) -> None:
    found = durability.together(tmp_path, processes=3, count=40)
    assert found.acknowledged == 3 * (40 + 10)
    assert found.lost == 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits are set as POSIX does")
def test_a_disk_without_room_refuses_by_name_and_loses_nothing(tmp_path: Path) -> None:
    lines = run(
        tmp_path / "a secret place",
        "resource, signal",
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))""",
    )
    assert len([line for line in lines if line.startswith("refused: Check its free space")]) == 2
    named = [line for line in lines if line.startswith("named:")]
    assert len(named) == 2
    assert all(line.startswith("named: False") for line in named), "visitors see no folder"
    assert lines[-1] == "there: True"


@pytest.mark.skipif(sys.platform == "win32", reason="rights are taken as POSIX does")
def test_a_folder_that_became_read_only_refuses_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    lines = run(
        folder,
        "os, pathlib",
        """
folder = pathlib.Path(sys.argv[1])
for path in (folder, *folder.rglob("*")):
    path.chmod(0o555 if path.is_dir() else 0o444)
if os.geteuid() == 0:
    os.setuid(65534)
store.close()
store = None
try:
    Store(folder)
except RecordError as error:
    print("refused:", error.action)
    raise SystemExit""",
    )
    assert lines == [next(iter(lines), "")]
    assert lines[0].startswith("refused: Check its free space and permissions")
