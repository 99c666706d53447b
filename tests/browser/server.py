"""`streamlit run` of a script and where to find a browser: for the browser tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AppServer:
    """`streamlit run` of one script, from start to `close`; or the command of an installed app, in
    a folder without the checkout."""

    def __init__(
        self,
        script: Path,
        log: IO[bytes],
        *options: str,
        port: int | None = None,
        installed_in: Path | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port or free_port()}"
        self.script = script
        self._log = log
        command: tuple[str, ...] = (sys.executable, "-m", "streamlit", "run", str(script))
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
        if installed_in is not None:
            command = (str(script), "app", "--")
            del env["PYTHONPATH"]
        self._process = subprocess.Popen(
            [
                *command,
                "--server.headless=true",
                "--server.address=127.0.0.1",
                f"--server.port={self.url.rpartition(':')[2]}",
                "--server.fileWatcherType=none",
                "--browser.gatherUsageStats=false",
                *options,
            ],
            cwd=installed_in or ROOT,
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_healthy()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has written until now."""
        return Path(self._log.name).read_text(errors="replace")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.script} ended at once; see {self._log.name}")
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.close()
        raise TimeoutError(f"{self.script} was not healthy within {START_SECONDS} s")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def browser_path() -> str | None:
    """An installed Chromium, or None for Playwright's own."""
    named = os.environ.get("TOKENSCOPE_CHROMIUM")
    installed = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return named or next(filter(None, installed), None)
