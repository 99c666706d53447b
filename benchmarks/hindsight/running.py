"""Whether a candidate program passes its tests, found out in a process of its own.

Limits on time, memory, output and processes, and an empty folder: enough for programs of a known
benchmark with one token changed, and no sandbox.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile

_SECONDS, _MEMORY, _FILE = 5, 1024**3, 1024**2


def passes(program: str, tests: str) -> bool:
    """Whether a program with its tests behind it ends without an error, in time."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            ran = subprocess.run(
                [sys.executable, "-I", "-c", f"{program}\n{tests}"],
                cwd=folder,
                env={"PATH": "/nowhere", "HOME": folder, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=2 * _SECONDS,
                preexec_fn=_limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return ran.returncode == 0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
