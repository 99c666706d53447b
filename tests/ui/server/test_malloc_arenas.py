"""The memory of a server's many threads."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# glibc's own account of its heaps, after threads that all hold memory at the same time.
_COUNT = """
import ctypes, sys, threading
from tokenscope_ui.server.malloc_arenas import share_heaps
share_heaps()
together, held = threading.Barrier(24), []
def visit():
    together.wait()
    held.append([bytearray(5_000) for _ in range(200)])
    together.wait()
threads = [threading.Thread(target=visit) for _ in range(24)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


def heaps(account: Path, **environment: str) -> int:
    inherited = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    subprocess.run(
        [sys.executable, "-c", _COUNT, str(account)],
        cwd=ROOT,
        env={**inherited, **environment},
        check=True,
    )
    return account.read_text().count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps of threads")
def test_threads_share_two_heaps_unless_the_operator_says_how_many(tmp_path: Path) -> None:
    assert heaps(tmp_path / "ours") <= 2
    assert heaps(tmp_path / "theirs", MALLOC_ARENA_MAX="5") == 5
