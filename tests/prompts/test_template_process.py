"""Templates that mean harm, or fail: each is ended with a reason, and nothing else suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from template_requests import filled_in, outcome

from tokenscope_core.prompts import template_process
from tokenscope_core.prompts.template_process import TemplateError

PLAIN = "{{ bos_token }}{{ messages[0].content }}"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
LARGE_POWER = "{{ (7**6000000) % 10 }}"
GROWING = (
    "{% set ns = namespace(x='ab') %}{% for i in range(60) %}"
    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX's")


@contextmanager
def worst_pause() -> Iterator[list[float]]:
    """How long, in seconds, a thread of this process that only wants to run had to wait."""
    pauses, done = [0.0], threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.wait(0.005):
            now = time.perf_counter()
            pauses[0] = max(pauses[0], now - last)
            last = now

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        yield pauses
    finally:
        done.set()
        ticking.join()


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * (3 * 10**9) }}",
        "{{ [0] * 10**9 }}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ '%900000000d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ 'a' | indent(10**9) }}",
        GROWING,
    ],
)
def test_a_template_that_takes_memory_is_refused_in_the_middle_of_an_operation(
    template: str,
) -> None:
    with worst_pause() as pauses:
        assert outcome(template) == "memory"
    assert pauses[0] < 0.5


@pytest.mark.parametrize("template", [LARGE_POWER, ENDLESS])
def test_a_template_that_takes_time_is_ended_in_the_middle_of_an_operation(template: str) -> None:
    filled_in(PLAIN)
    with worst_pause() as pauses:
        begun = time.monotonic()
        assert outcome(template, seconds=0.5) == "time"
        assert time.monotonic() - begun < 3
    assert pauses[0] < 0.5


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "long"),
        ("{{ 'é' * 600000 }}", "long"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested"),
        ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "nested"),
        ("{% if x %}" * 3000, "nested"),
        ("{{ messages[0].items }}", "address"),
        ("{{ messages[0].items | string | upper }}", "address"),
        ("{{ '\\ud800' }}", "surrogate"),
        ("{{ raise_exception('no') }}", "says"),
        ("{{ ().__class__.__mro__ }}", "failed"),
        ("{{ lipsum.__globals__.os }}", "failed"),
        ("{{ namespace(__init__=1) }}", "failed"),
        ("{% set ns = namespace() %}{% set ns.__class__ = 1 %}", "failed"),
        ("{{ messages.append(1) }}", "failed"),
        ("{% include '/etc/passwd' %}", "failed"),
        ("{% import 'os' as os %}", "failed"),
        ("{% if %}", "failed"),
    ],
)
def test_a_template_that_cannot_be_filled_in_says_why(template: str, kind: str) -> None:
    assert outcome(template) == kind


def test_what_a_template_says_of_itself_is_kept_short() -> None:
    with pytest.raises(TemplateError) as caught:
        filled_in("{{ raise_exception('x' * 1000000) }}")
    assert 100 < len(caught.value.said) <= 300


def test_what_a_template_says_of_itself_can_be_shown() -> None:
    with pytest.raises(TemplateError) as caught:
        filled_in("{{ raise_exception('no \\ud800') }}")
    assert caught.value.said.encode("utf-8") == b"no ?"


def test_an_address_that_somebody_typed_is_text() -> None:
    said = "<function f at 0x7f3a2c1d>"
    assert filled_in(PLAIN, said).text == f"<s>{said}"


def test_a_failure_takes_nothing_from_the_next() -> None:
    assert outcome("{{ 1 / 0 }}") == "failed"
    assert outcome("{{ 'x' * 10**10 }}") == "memory"
    assert outcome(ENDLESS, seconds=0.3) == "time"
    assert filled_in(PLAIN).text == "<s>hello"


def test_a_process_is_kept_and_asked_again() -> None:
    filled_in(PLAIN)
    idle = template_process._POOL._idle
    known = {process._process.pid for process in idle}
    for _ in range(20):
        filled_in(PLAIN)
    assert {process._process.pid for process in idle} == known


def test_one_that_was_ended_while_it_waited_is_replaced() -> None:
    filled_in(PLAIN)
    for process in template_process._POOL._idle:
        os.kill(process._process.pid, signal.SIGKILL)
    assert filled_in(PLAIN).text == "<s>hello"


def test_one_that_is_ended_at_work_is_told_of() -> None:
    def end_the_busy() -> None:
        time.sleep(0.3)
        for child in psutil.Process().children():
            if "template_child.py" in " ".join(child.cmdline()):
                child.kill()

    template_process._POOL.close()
    ending = threading.Thread(target=end_the_busy)
    process = template_process.TemplateProcess()
    ending.start()
    with pytest.raises(TemplateError) as caught:
        process.ask(_request(ENDLESS), 20)
    assert caught.value.kind == "died"
    assert not process.usable
    process.close()
    ending.join()


def _request(template: str) -> bytes:
    import json

    return json.dumps(
        {
            "template": template, "messages": [], "special": {}, "controls": [],
            "marks": ["a", "b"], "moment": None, "seconds": 20,
        }
    ).encode()  # fmt: skip


def test_several_ask_at_once_and_each_gets_its_own() -> None:
    with ThreadPoolExecutor(12) as pool:
        texts = list(pool.map(lambda i: filled_in(PLAIN, f"turn {i}").text, range(60)))
    assert texts == [f"<s>turn {i}" for i in range(60)]
    assert len(template_process._POOL._idle) <= template_process.MAX_PROCESSES


def test_whoever_comes_while_all_are_busy_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process, "_WAIT_SECONDS", 0.2)
    busy = template_process.MAX_PROCESSES
    with ThreadPoolExecutor(busy + 1) as pool:
        endless = [pool.submit(outcome, ENDLESS, seconds=3) for _ in range(busy)]
        time.sleep(1)
        assert outcome(PLAIN) == "busy"
        assert [one.result() for one in endless] == ["time"] * busy
    assert filled_in(PLAIN).text == "<s>hello"


def test_a_process_that_cannot_be_started_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    template_process._POOL.close()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert outcome(PLAIN) == "unstarted"
    monkeypatch.undo()
    assert filled_in(PLAIN).text == "<s>hello"


@pytest.mark.parametrize("answer", ["", "raise SystemExit", "print('9' * 99)"])
def test_what_a_process_answers_is_not_believed(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    child.write_text(answer)
    template_process._POOL.close()
    monkeypatch.setattr(template_process, "_CHILD", child)
    assert outcome(PLAIN) == "unstarted"


@pytest.mark.parametrize("head", ["[]", "3", "{", '{"written": 5}', '{"written": "x"}', "[" * 9999])
def test_an_answer_that_is_none_ends_the_process(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    frames = ["{}", head, "text"] * 2
    child.write_text(
        "import sys\n"
        f"for frame in {frames!r}:\n"
        "    sys.stdout.buffer.write(len(frame).to_bytes(8, 'big') + frame.encode())\n"
        "sys.stdout.buffer.flush(); sys.stdin.buffer.read()\n"
    )
    template_process._POOL.close()
    monkeypatch.setattr(template_process, "_CHILD", child)
    assert outcome(PLAIN) == "died"
    template_process._POOL.close()


def test_a_forked_process_asks_others_than_its_parent() -> None:
    filled_in(PLAIN)
    script = """
import os, sys
sys.path.insert(0, "tests/support")
from template_requests import filled_in
filled_in("a")
child = os.fork()
texts = {filled_in("{{ messages[0].content }}", f"{os.getpid()} {i}").text for i in range(50)}
right = texts == {f"{os.getpid()} {i}" for i in range(50)}
if child == 0:
    os._exit(0 if right else 1)
sys.exit(os.waitpid(child, 0)[1] or not right)
"""
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root, timeout=120)


def test_nobody_is_left_when_the_server_is_killed() -> None:
    script = """
import sys, threading, time
sys.path.insert(0, "tests/support")
from template_requests import filled_in, outcome
import psutil
filled_in("a")
threading.Thread(target=outcome, args=("{{ (7**6000000) % 10 }}",), kwargs={"seconds": 2}).start()
filled_in("a")
print(*[child.pid for child in psutil.Process().children()], flush=True)
time.sleep(60)
"""
    root = Path(__file__).resolve().parents[2]
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root)
    assert server.stdout is not None
    children = [int(pid) for pid in server.stdout.readline().split()]
    assert children
    server.kill()
    server.wait()
    gone, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in children if psutil.pid_exists(pid)], timeout=60
    )
    assert not alive, gone


def test_the_surroundings_of_the_server_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    template = (
        "{{ (dict(a=1, b=2, c=3, d=4).keys() - dict(z=1).keys()) | list }}"
        "{{ range(1000) | random }}{{ lipsum(n=1) }}{{ strftime_now('%s %A %c %Z') }}"
    )
    texts = set()
    for zone, locale in (("Asia/Tokyo", "de_DE.UTF-8"), ("America/New_York", "C")):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LC_ALL", locale)
        monkeypatch.setenv("PYTHONHASHSEED", zone[:1])
        for _ in range(2):
            template_process._POOL.close()
            texts.add(filled_in(template, moment="2026-11-30T14:05:09").text)
            texts.add(filled_in(template, moment="2026-11-30T14:05:09").text)
    assert len(texts) == 1
