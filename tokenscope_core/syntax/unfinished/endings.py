"""What could follow an unfinished text: the rest of its last token, brackets to close."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tokenscope_core.caching import lru_cache
from tokenscope_core.syntax.grammar.languages import Grammar

# What can follow where a number, an escape or a character has only begun.
_NUMBER = re.compile(rb"[0-9][0-9a-zA-Z_.]*[-+]?$")
_ESCAPE = re.compile(rb"\\[xuUN0-9]?\{?[0-9a-fA-F]*$")
# Longer than any of these that matter: each would be looked for from every byte of a longer word.
_TAIL = 64
# What a string, a comment or the like may begin with; a here-document begins after its line.
_OPENING = re.compile(rb"[^\w \t()\[\]{},.;:=+]", re.ASCII)
_STRING_PREFIX = re.compile(rb"(?<!\w)[bcflrtuBFLRTU8]{1,3}$")
_WORD_END = re.compile(rb"[A-Za-z0-9_$#@]+$")
# Tokens of fixed text that grammars name, so that they are not in the list of fixed tokens.
_NAMED_TOKENS = (b"...", b"//")


class Endings:
    """The ways to finish a token of a language."""

    def __init__(self, grammar: Grammar) -> None:
        self.closers = [closer.encode() for closer in grammar.closers]
        self._token_endings = _token_endings(grammar)

    def finishes(self, text: bytes, *, quoted: bool) -> Iterator[bytes]:
        """What might finish a last token that is only half there, likeliest first.

        Where nothing can have opened a string or comment (not `quoted`), none is closed.
        """
        text = text[-_TAIL:]
        yield b""
        fills = _half_character(text)
        yield from fills
        if not fills and (escape := _ESCAPE.search(text)):
            digits = (b"0" * n for n in range(1, 11 - len(escape[0])))
            fills = [b"n", *digits, b"0}", b"SPACE}", b"{SPACE}"]
        elif text.endswith(b"}"):
            fills = [b"}"]  # half of an escaped brace in a format string
        for fill in (b"", *fills):
            yield from (fill + closer for closer in self.closers if quoted or fill)
        if _NUMBER.search(text):
            yield b"0"
        if word := _WORD_END.search(text):
            yield from self._token_endings.get(word[0], ())
        yield b"x"
        for length in range(1, 5):
            if not word or length > len(word[0]):
                yield from self._token_endings.get(text[-length:], ())
        if text.endswith(b"\\"):
            yield b"\n"


def may_be_quoted(before: bytes, piece: bytes) -> bool:
    """Whether a string, a comment or the like may begin in a piece or in the word it goes on."""
    tail = before[-4:] + piece
    return bool(_OPENING.search(before[-2:] + piece) or _STRING_PREFIX.search(tail))


# What may be left of a Python statement: inside the open brackets, and after them.
_PYTHON_INSIDE = (
    "", "x", " x", " in x", " x in x", " else x", " x else x", ": x", " import x", " x import x",
    " as x", "=x", " for x in x", "(", "{x}",
)  # fmt: skip
_PYTHON_AFTER = ("", ":", ": x", " x:", "():", " x():", "\ndef x(): x", " in x:", " = x")
_BASH_AFTER = ("", "\nfi", "\ndone", "\n}", "; then x\nfi", "; do x\ndone", "\nesac")


def rests(grammar: Grammar) -> Iterator[tuple[bytes, bytes]]:
    """What may be left of an unfinished statement: inside the open brackets, and after them."""
    pairs: Iterable[tuple[str, str]]
    if grammar.name == "python":
        pairs = ((inside, after) for after in _PYTHON_AFTER for inside in _PYTHON_INSIDE)
    elif grammar.name == "bash":
        pairs = ((inside, after) for after in _BASH_AFTER for inside in ("", "x"))
    else:
        pairs = ((inside, after) for after in ("", ";", "{}") for inside in ("", "x", " x"))
    for inside, after in pairs:
        yield inside.encode(), after.encode()


_PAIRS = {ord("("): b")", ord("["): b"]", ord("{"): b"}"}


def closers_of(brackets: bytes, piece: bytes) -> bytes:
    """The brackets that would close what is open, strings and comments not looked at."""
    for byte in piece:
        if byte in _PAIRS:
            brackets = _PAIRS[byte] + brackets
        elif brackets and byte == brackets[0]:
            brackets = brackets[1:]
    return brackets


@lru_cache(maxsize=32)
def _token_endings(grammar: Grammar) -> Mapping[bytes, Sequence[bytes]]:
    """What is left of each fixed token after each way to begin it."""
    endings: dict[bytes, list[bytes]] = {}
    kinds = zip(grammar.kind_names, grammar.kind_is_named, strict=True)
    fixed = [kind.encode() for kind, named in kinds if not named and kind.strip()]
    for token in (*fixed, *_NAMED_TOKENS):
        for cut in range(1, len(token)):
            rest = endings.setdefault(token[:cut], [])
            if token[cut:] not in rest:
                rest.append(token[cut:])
    return endings


def _half_character(text: bytes) -> list[bytes]:
    """What could complete a UTF-8 character that has only begun: a letter, or anything."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 == 0x80:
            continue
        width = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4
        lacking = width - back
        if byte >= 0xC0 and lacking > 0:
            return [filler * lacking for filler in (b"\xaa", b"\x90", b"\xbf", b"\x80")]
        return []
    return []
