"""Sessions at a prompt: what was typed is code, prompts and what came back are none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tokenscope_core.syntax.documents.regions import Span, line_spans
from tokenscope_core.syntax.grammar.layout import PythonLayout

# The words on a fence for a session rather than a program, and the language typed in it.
SESSIONS = {
    "pycon": "python",
    "python-repl": "python",
    "py-repl": "python",
    "python-console": "python",
    "ipython": "python",
    "ipython3": "python",
    "doctest": "python",
    "console": "bash",
    "shell-session": "bash",
    "shellsession": "bash",
    "sh-session": "bash",
    "terminal": "bash",
}
# By language: what stands before a line that is typed, and before one that goes on with it.
_PROMPTS = {
    "python": (
        re.compile(rb"[ \t]*(?:>>>(?: |(?=[\r\n]|\Z))|In \[\d*\]:(?: |(?=[\r\n]|\Z)))"),
        re.compile(rb"[ \t]*(?:\.\.\.+:? ?)(?=.|[\r\n]|\Z)"),
    ),
    "bash": (
        re.compile(
            rb"[ \t]*(?:\([\w.-]+\) )?(?:\[?[\w.-]+@[\w.-]+[: ][^$#%\r\n]*)?"
            rb"[$#%](?: |(?=[\r\n]|\Z))"
        ),
        re.compile(rb"> ?"),
    ),
}
# A comment looks like root's prompt: of a text that says not that it is a session, no proof.
_PROOF = {
    "python": _PROMPTS["python"][0],
    "bash": re.compile(rb"(?:[\w.-]+@[\w.-]+[: ][^$#%\r\n]*)?\$ "),
}
# Lines that IPython takes and Python does not: magics, commands for a shell, questions.
_MAGIC = re.compile(
    rb"[ \t]*(?:%{1,2}[A-Za-z][\w.]*(?:[ \t]|[\r\n]|\Z)|!{1,2}[ \t]*[\w./~$]|"
    rb"\?{1,2}[\w.]+[ \t]*\r?$|[A-Za-z_][\w.]*\?{1,2}[ \t]*\r?$|"
    rb"[\w.,][\w., \t]*=[ \t]*(?:%[A-Za-z]|!))",
    re.MULTILINE,
)
# Tried at the begin of each line alone, or a long word takes the square of its length.
_MAGIC_LINE = re.compile(rb"^" + _MAGIC.pattern, re.MULTILINE)
_CELL_MAGIC = re.compile(rb"\s*%%(?!time\b|timeit\b|capture\b|prun\b)[A-Za-z]")


def is_session(code: bytes, language: str) -> bool:
    """Whether a text begins with a prompt."""
    proof = _PROOF.get(language)
    return proof is not None and proof.match(code.lstrip(b"\r\n")) is not None


def typed(code: bytes, language: str) -> Iterator[Span]:
    """What was typed in a session, a span a line; nothing where there is no prompt."""
    prompt, continued = _PROMPTS[language]
    in_command = False
    for start, end in line_spans(code, 0, len(code)):
        line = code[start:end]
        found = prompt.match(line) or (continued.match(line) if in_command else None)
        in_command = found is not None
        if found is not None and not (language == "python" and _MAGIC.match(line, found.end())):
            yield start + found.end(), end


def has_magics(code: bytes) -> bool:
    """Whether there may be lines for IPython in a Python text."""
    return _MAGIC_LINE.search(code) is not None


def without_magics(code: bytes) -> Iterator[Span]:
    """The lines of a cell of a notebook that are Python; none of a cell in another language."""
    if _CELL_MAGIC.match(code):
        return
    layout = PythonLayout()
    for start, end in line_spans(code, 0, len(code)):
        begins = layout.mode == "indentation" and not layout.depth and not layout.escape
        if begins and _MAGIC.match(code, start, end):
            continue
        layout.feed(code[start:end])
        yield start, end
