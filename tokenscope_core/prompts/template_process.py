"""Processes in which chat templates are filled in, where one that does not end can be ended.

A template is a program that came with a model. jinja2's sandbox keeps it from files and from
Python; it bounds neither the time nor the memory of a single operation. So it is run by an
interpreter of its own (`template_child`) that has imported nothing but jinja2, is given a bounded
memory, and is killed when its time is over. What it answers is read as what a stranger sent.

Starting one takes some tenths of a second, so they are kept for the next template.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

MEMORY_BYTES = 512 * 1024**2
MAX_SECONDS = 5.0
# One that holds more when it has answered is not kept: it seldom gives memory back.
_KEPT_BYTES = 128 * 1024**2
_MAX_ANSWER_BYTES = 2_000_000
# So many templates are filled in at the same time; whoever comes later waits.
MAX_PROCESSES = min(4, max(2, os.cpu_count() or 2))
_START_SECONDS = 60.0
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_CHILD = Path(__file__).with_name("template_child.py")
# Run with no folder of its own on the path: only Python's modules are found, then jinja2's.
_BEGIN = (
    "import sys; sys.path += sys.argv[1:-2]; "
    "exec(compile(open(sys.argv[-2], encoding='utf-8').read(), sys.argv[-2], 'exec'))"
)
# What an interpreter may need to be started at all. The rest is fixed: the texts of a template
# depend on no time zone, locale or seed of hashes of whoever runs the server.
_NEEDED = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_FIXED = {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}

Kind = Literal[
    "says", "failed", "undated", "long", "address", "nested", "surrogate", "memory", "time",
    "died", "busy", "unstarted",
]  # fmt: skip


_Answer = TypeVar("_Answer")


class TemplateError(Exception):
    """A template was not filled in, for a reason of that kind; `said` is from the template."""

    def __init__(self, kind: Kind, said: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.said = said


@dataclass(frozen=True, slots=True)
class FilledIn:
    """The text of a conversation, and the coarsest moment at which it reads the same; None where
    the template did not ask for the time."""

    text: str
    written: datetime | None


def fill_in(wanted: Mapping[str, Any], *, seconds: float) -> FilledIn:
    """Have a template filled in by a process of this server.

    Args:
        wanted: `template`, `messages` (role and content of each), `special` (names of tokens by
            what they are for), `controls` (the name of each added token, and whether it is a
            control token even where the template does not contain it), `marks` (around a control
            token that somebody typed) and `moment` (ISO 8601 or None); where there are any, `tools`
            (a list of objects) and `variables` (values by name).
        seconds: after which it is ended.

    Raises:
        TemplateError: for the kind of reason that it names.
    """
    return _filled_in(_asked(wanted, seconds))


def variables_of(template: str, *, seconds: float) -> tuple[str, ...]:
    """The names that a template reads and that nothing gives it but its options, in order; names
    of special tokens are among them. Raises: as `fill_in`."""
    head, _ = _asked({"variables_of": template}, seconds)
    names = head.get("variables")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TemplateError("died")
    return tuple(names)


def _asked(wanted: Mapping[str, Any], seconds: float) -> tuple[Any, bytes]:
    request = json.dumps({**wanted, "seconds": seconds}).encode("ascii")
    process = _POOL.take()
    try:
        if process is not None:
            try:
                return process.ask(request, seconds)
            except TemplateError as failure:
                # It may have been ended while it waited, by whoever manages the machine.
                if failure.kind != "died":
                    raise
                process.close()
        process = TemplateProcess()
        return process.ask(request, seconds)
    finally:
        _POOL.give_back(process)


def _filled_in(answer: tuple[Any, bytes]) -> FilledIn:
    head, text = answer
    try:
        written = head["written"]
        return FilledIn(
            text.decode("utf-8"), None if written is None else datetime.fromisoformat(written)
        )
    except (KeyError, TypeError, ValueError):
        raise TemplateError("died") from None


class TemplateProcess:
    """One process, for one thread at a time."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            TemplateError: it cannot be started.
        """
        self._over: Kind | None = None
        self._usable = True
        try:
            self._process = _started()
        except (OSError, ValueError) as error:
            raise TemplateError("unstarted") from error
        try:
            self._within(_START_SECONDS, self._read)
        except TemplateError as error:
            self.close()
            raise TemplateError("unstarted") from error

    @property
    def usable(self) -> bool:
        """Whether it can be asked again."""
        return self._usable and self._process.poll() is None

    def ask(self, request: bytes, seconds: float) -> tuple[Any, bytes]:
        """What it answers: the head, and the text.

        Raises:
            TemplateError: it answers an error, or is no more; then it cannot be asked again.
        """
        return self._within(seconds, lambda: self._exchange(request))

    def close(self) -> None:
        """End it."""
        self._usable = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was still to be written has nowhere to go
                continue

    def _exchange(self, request: bytes) -> tuple[Any, bytes]:
        assert self._process.stdin is not None
        self._process.stdin.write(len(request).to_bytes(8, "big") + request)
        self._process.stdin.flush()
        head = json.loads(self._read())
        self._usable = self._memory() <= _KEPT_BYTES
        if kind := head.get("error"):
            raise TemplateError(kind, str(head.get("said", "")))
        return head, self._read()

    def _read(self) -> bytes:
        """One frame, or an OSError where there is none."""
        assert self._process.stdout is not None
        length = self._process.stdout.read(8)
        size = int.from_bytes(length, "big")
        if len(length) < 8 or size > _MAX_ANSWER_BYTES:
            raise OSError("no frame")
        frame = self._process.stdout.read(size)
        if len(frame) < size:
            raise OSError("a frame that is cut short")
        return frame

    def _within(self, seconds: float, work: Callable[[], _Answer]) -> _Answer:
        """What the work returns, unless the process is ended meanwhile for what it takes."""
        done = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(seconds, done), name="template watch", daemon=True
        )
        watch.start()
        try:
            return work()
        except (OSError, ValueError, AttributeError, RecursionError):
            # A pipe that is broken, or an answer that is none.
            self._usable = False
            raise TemplateError(self._over or "died") from None
        finally:
            done.set()
            watch.join()

    def _watch(self, seconds: float, done: threading.Event) -> None:
        end = time.monotonic() + seconds
        while not done.wait(min(_LOOK_SECONDS, max(0.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                self._over = "time"
            elif self._memory() > MEMORY_BYTES:
                self._over = "memory"
            else:
                continue
            self._usable = False
            self._process.kill()
            return

    def _memory(self) -> int:
        """Where the platform does not bound it (macOS, Windows) only this does."""
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:  # it is no more, which its pipe says, too
            return 0


def _started() -> subprocess.Popen[bytes]:
    """The process, which says so once it has limited itself.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    return subprocess.Popen(
        [sys.executable, "-S", "-s", "-P", "-c", _BEGIN, *_import_folders(), str(_CHILD),
         str(MEMORY_BYTES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _NEEDED if name in os.environ} | _FIXED,
        cwd=_CHILD.parent,
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip


def _import_folders() -> list[str]:
    """Where jinja2 and what it imports lie.

    Raises:
        OSError: they are nowhere.
    """
    folders = []
    for name in ("jinja2", "markupsafe"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise OSError(f"{name} is not installed")
        folders.append(str(Path(spec.origin).parent.parent))
    return list(dict.fromkeys(folders))


class _Pool:
    """Processes that wait to be asked, and how many there may be."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all there are."""
        self._room = threading.BoundedSemaphore(MAX_PROCESSES)
        self._lock = threading.Lock()
        self._idle: list[TemplateProcess] = []

    def take(self) -> TemplateProcess | None:
        """One that waits, or None where there is room for another; `give_back` must follow.

        Raises:
            TemplateError: others were busy for too long.
        """
        if not self._room.acquire(timeout=_WAIT_SECONDS):
            raise TemplateError("busy")
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.usable:
                    return process
                process.close()
        return None

    def give_back(self, process: TemplateProcess | None) -> None:
        """Let others have it, or the room that it had."""
        if process is not None and process.usable:
            with self._lock:
                self._idle.append(process)
        elif process is not None:
            process.close()
        self._room.release()

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()


_POOL = _Pool()


atexit.register(_POOL.close)
if hasattr(os, "register_at_fork"):
    # In a forked process the pipes are the parent's.
    os.register_at_fork(after_in_child=_POOL.begin_anew)
