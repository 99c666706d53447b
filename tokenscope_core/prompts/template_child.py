"""A program that fills in chat templates, apart from everything that should not suffer from them.

`template_process` starts it as an interpreter of its own. It imports jinja2 and what comes with
Python, limits itself before it reads the first template, and then answers requests from standard
input until that is closed. Templates find what they find in transformers, but for what would make
their text another each time: the time is given, and random filters begin anew with every text.

A frame is its length (8 bytes, big-endian) and so many bytes. A request is one frame of JSON; an
answer is one of JSON and, where that names no error, one of text in UTF-8.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import os
import random
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.sandbox

# Splitting more into tokens would hold up everything else in the server's process.
MAX_BYTES = 1_000_000
_MAX_SAID = 300
# What every template is given.
_GIVEN = ("messages", "tools", "documents", "add_generation_prompt")
# As `repr` writes an object that has no text of its own.
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{4,}", re.IGNORECASE)


class _RefusedError(Exception):
    """The text cannot be had; says of which kind."""

    def __init__(self, kind: str, said: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.said = said


class _Clock:
    """The time that a template is told, and how much of it decided what was written.

    `written` is the coarsest moment at which all that the template asked for reads the same.
    """

    def __init__(self) -> None:
        self.start(None)

    def start(self, moment: datetime | None) -> None:
        self.moment = moment
        self.written: datetime | None = None

    def strftime_now(self, format: str) -> str:
        if self.moment is None:
            raise _RefusedError("undated")
        text = self.moment.strftime(format)
        for coarse in _coarser(self.moment):
            # What an earlier call needed stays.
            if self.written is not None and coarse < self.written:
                continue
            if coarse.strftime(format) == text:
                self.written = coarse
                break
        return text


def _coarser(moment: datetime) -> Iterator[datetime]:
    """The beginnings of its day, minute and second, then itself."""
    yield moment.replace(hour=0, minute=0, second=0, microsecond=0)
    yield moment.replace(second=0, microsecond=0)
    yield moment.replace(microsecond=0)
    yield moment


_CLOCK = _Clock()


class _Generation(jinja2.ext.Extension):
    """The tag around what an assistant said, which training needs: here it writes its body."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> jinja2.nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        block = jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body)
        return block.set_lineno(lineno)

    def _body(self, caller: Any) -> Any:
        return caller()


class _Dict:
    """`dict` for templates: makes dictionaries, and is no class that leads to others."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args, **kwargs)


class _Namespace(jinja2.utils.Namespace):
    """`namespace` for templates, without names that begin with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, args = args[0], args[1:]
        values = dict(*args, **kwargs)
        for name in values:
            _require_public(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _require_public(name)
        super().__setitem__(name, value)


def _require_public(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace holds no {name!r}")


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _to_json(
    x: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


@functools.lru_cache(maxsize=8)
def _compiled(source: str) -> tuple[jinja2.Template, str]:
    """A template, and the texts that stand in it, apart from each other."""
    environment = _environment()
    tree = environment.parse(source)
    literals = {node.data for node in tree.find_all(jinja2.nodes.TemplateData)}
    constants = tree.find_all(jinja2.nodes.Const)
    literals |= {node.value for node in constants if isinstance(node.value, str)}
    return environment.from_string(source), "\0".join(sorted(literals))


def _environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    """What templates are read with, and find."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _CLOCK.strftime_now
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment


def _filled_in(wanted: dict[str, Any]) -> bytes:
    """The text of a conversation, in UTF-8.

    Raises:
        _RefusedError: it is too long, or not the same each time.
        Exception: whatever a template raises.
    """
    template, literals = _compiled(wanted["template"])
    controls = [
        name
        for name, always in wanted["controls"]
        if always or (name in literals and not name.isspace())
    ]
    messages, tools, variables = _marked(
        [wanted["messages"], wanted.get("tools"), wanted.get("variables", {})],
        controls,
        wanted["marks"],
    )
    moment = wanted["moment"]
    _CLOCK.start(None if moment is None else datetime.fromisoformat(moment))
    random.seed(0)
    parts: list[str] = []
    left = MAX_BYTES
    for part in template.generate(
        messages=messages,
        tools=tools,
        documents=None,
        add_generation_prompt=True,
        **{**wanted["special"], **variables},
    ):
        left -= len(part)
        if left < 0:
            raise _RefusedError("long")
        parts.append(part)
    text = "".join(parts)
    given = wanted["template"] + "".join(_texts([messages, tools, variables]))
    if any(address not in given for address in set(_ADDRESS.findall(text))):
        raise _RefusedError("address")
    encoded = text.encode("utf-8")
    if len(encoded) > MAX_BYTES:
        raise _RefusedError("long")
    return encoded


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _marked(value: Any, controls: list[str], marks: list[str]) -> Any:
    """A JSON value with the names of control tokens in its texts between marks, which the tokenizer
    knows.

    Marks that somebody typed are dropped first, as transformers does.
    """
    start, end = marks
    longest_first = sorted(controls, key=len, reverse=True)
    named = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: marked(one) for name, one in value.items()}
        if isinstance(value, list):
            return [marked(one) for one in value]
        if not isinstance(value, str):
            return value
        text = value.replace(start, "").replace(end, "")
        return named.sub(lambda found: f"{start}{found[0]}{end}", text)

    return marked(value)


def _variables(source: str) -> list[str]:
    """The names that a template reads and that nothing gives it but its options."""
    tree = _environment().parse(source)
    known = {*_GIVEN, *_environment().globals}
    return sorted(jinja2.meta.find_undeclared_variables(tree) - known)


def _answer(wanted: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What is answered, and the text where there is no error in it."""
    try:
        if "variables_of" in wanted:
            return {"variables": _variables(wanted["variables_of"])}, b""
        text = _filled_in(wanted)
    except _RefusedError as error:
        return {"error": error.kind, "said": error.said}, b""
    except MemoryError:
        return {"error": "memory"}, b""
    except RecursionError:
        return {"error": "nested"}, b""
    except UnicodeEncodeError:
        return {"error": "surrogate"}, b""
    except Exception as error:
        # A template may fail in any way that a Python program can. Jinja's own class is the one
        # that `raise_exception` raises, with the template's words.
        in_its_words = type(error) is jinja2.exceptions.TemplateError and str(error)
        said = str(error) if in_its_words else _clause_of(error)
        # Half of a surrogate pair can be written nowhere that shows what was said.
        said = said[:_MAX_SAID].encode("utf-8", "replace").decode("utf-8")
        return {"error": "says" if in_its_words else "failed", "said": said}, b""
    written = _CLOCK.written
    return {"written": None if written is None else written.isoformat()}, text


def _clause_of(error: Exception) -> str:
    """What is wrong with a template that raised this, with the line; the error's own words are for
    whoever knows Python."""
    line = getattr(error, "lineno", None) or _line_of(error)
    match error:
        case jinja2.exceptions.TemplateAssertionError():
            clause = "it uses a filter or a test that is not there"
        case jinja2.exceptions.TemplateSyntaxError():
            clause = "it is no template that Jinja can read"
        case jinja2.exceptions.SecurityError():
            clause = "it reaches for what a template may not touch"
        case jinja2.exceptions.UndefinedError():
            clause = "it needs something that these turns, or its own lines, do not have"
        case ZeroDivisionError():
            clause = "it divides by zero"
        case OverflowError():
            clause = "it counts further than a template may, or a number in it is too large"
        case _:
            clause = "something in it is done with a value of another kind than that takes"
    return clause if line is None else f"{clause} (line {line:,})"


def _line_of(error: Exception) -> int | None:
    """The innermost line of a template that an error came through."""
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == "<template>"
    ]
    return lines[-1] if lines else None


def _limit(memory_bytes: int) -> None:
    """Take away what no template needs, as far as the platform can."""
    if hasattr(os, "nice"):
        os.nice(5)
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for name, most in (
        ("RLIMIT_AS", memory_bytes),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NPROC", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, OSError, ValueError):
            # macOS takes no bound on addresses: whoever started this watches its memory.
            continue


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """End this process by itself after so much computing, should nobody be left to end it."""
    try:
        import resource
    except ImportError:
        faulthandler.dump_traceback_later(2 * seconds + 1, exit=True)
        yield
        faulthandler.cancel_dump_traceback_later()
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
    yield


def _write(stream: BinaryIO, frame: bytes) -> None:
    stream.write(len(frame).to_bytes(8, "big"))
    stream.write(frame)


def main(memory_bytes: int) -> None:
    """Answer until standard input is closed."""
    _limit(memory_bytes)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _write(answers, b"{}")
    answers.flush()
    while size := requests.read(8):
        wanted = json.loads(requests.read(int.from_bytes(size, "big")))
        with _ending_after(wanted["seconds"]):
            head, text = _answer(wanted)
        _write(answers, json.dumps(head).encode("ascii"))
        if "error" not in head:
            _write(answers, text)
        answers.flush()
        del wanted, text


if __name__ == "__main__":
    main(int(sys.argv[-1]))
