"""What those who wait for a thread learn when it dies."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import pytest

from tokenscope_core.store.watched_thread import WatchedThread


@pytest.fixture
def begun() -> list[threading.Thread]:
    """The threads in which it has begun."""
    return []


@pytest.fixture
def thread(begun: list[threading.Thread]) -> Iterator[WatchedThread]:
    watched = WatchedThread("test", lambda: begun.append(threading.current_thread()))
    yield watched
    watched.end()


def kill(thread: threading.Thread) -> None:
    """Have a thread end as soon as it runs again."""
    assert thread.ident is not None
    target = ctypes.c_ulong(thread.ident)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(SystemExit)) == 1


def test_all_is_done_in_one_thread_which_begins_once(
    thread: WatchedThread, begun: list[threading.Thread]
) -> None:
    assert {thread.do(threading.current_thread) for _ in range(5)} == set(begun)
    with pytest.raises(ZeroDivisionError):
        thread.do(lambda: 1 // 0)
    assert len(begun) == 1


def test_what_a_dead_thread_had_not_begun_is_done_by_the_next(
    thread: WatchedThread, begun: list[threading.Thread]
) -> None:
    kill(begun[0])
    assert thread.do(lambda: 7) == 7
    assert not begun[0].is_alive()
    assert thread.do(threading.current_thread) is begun[-1] is not begun[0]


def test_what_was_in_the_middle_when_the_thread_died_is_told_to_have_failed(
    thread: WatchedThread, begun: list[threading.Thread]
) -> None:
    def dying() -> None:
        kill(threading.current_thread())
        sum(range(10**6))

    with pytest.raises(OSError, match="told to end"):
        thread.do(dying)
    assert thread.do(lambda: 7) == 7
