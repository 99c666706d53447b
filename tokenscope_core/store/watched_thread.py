"""A thread that does one thing after the other, and is started anew where it has died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

_Result = TypeVar("_Result")

# So often somebody who waits looks whether the thread is still there.
_LOOKS_AFTER_S = 1.0


class WatchedThread:
    """One thread for all who wait for what they have done in it. A pool of one would go on to wait
    for a thread that is no more."""

    def __init__(self, name: str, begin: Callable[[], object]) -> None:
        """
        Args:
            name: of the thread.
            begin: what each new thread does first; what it raises is raised by whoever began it.
        """
        self._name, self._first = name, begin
        self._turn = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        self._thread = self._pool.submit(threading.current_thread).result()
        self._pool.submit(self._first).result()

    def do(self, work: Callable[[], _Result]) -> _Result:
        """What `work` returns or raises in the thread.

        Raises:
            OSError: the thread ended in the middle of it. The next finds a new one.
        """
        while True:
            thread, asked = self._thread, self._pool.submit(work)
            while not wait([asked], timeout=_LOOKS_AFTER_S).done and thread.is_alive():
                pass
            if not asked.cancel():
                return self._result_of(asked, thread)
            self._begin_again(thread)  # before it came to this

    def end(self) -> None:
        """Let the thread end once it has done all; it does nothing more."""
        self._pool.shutdown()

    def _result_of(self, asked: Future[_Result], thread: threading.Thread) -> _Result:
        if not asked.done():
            self._begin_again(thread)
            raise OSError("the thread ended in the middle of it")
        error = asked.exception()
        if error is None or isinstance(error, Exception):
            return asked.result()
        # What is to end that thread is not to end the one that waits for it.
        raise OSError("the thread was told to end") from error

    def _begin_again(self, ended: threading.Thread) -> None:
        """In a new thread, unless another who waited has seen to it."""
        with self._turn:
            if self._thread is ended:
                self._begin()
