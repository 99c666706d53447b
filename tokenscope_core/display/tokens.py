"""The tokens of a trace as a strip shows them: their texts, and what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.display.formatting import count_text
from tokenscope_core.record.trace import Trace


class TokenFlag(IntFlag):
    """What a token is, one bit each."""

    PROMPT = 1
    FORCED = 2
    SPECIAL = 4
    """Zero-width in the text; its text is a label such as <|endoftext|>, shown as a chip."""
    INCOMPLETE = 8
    """Part of a character; its text is its bytes in hex such as "F0 9F", shown as a chip."""
    WHITESPACE = 16
    CONTINUES = 32
    """The character was shown on an earlier token: only a narrow mark is drawn, and its text (its
    bytes in hex) is for the tooltip."""
    NOT_FAVOURITE = 64
    """Sampling chose it although another token was more probable."""
    SHARED = 128
    """Both of two texts begin with it: drawn pale, without a tint."""
    CHANGED = 256
    """Another token faces it in the other of two texts."""
    ALONE = 512
    """No token faces it in the other of two texts."""
    BEGINS = 1024
    """A piece of the text begins with it: a line is drawn before it."""
    MARKED = 2048
    """There is a remark about it."""
    BROKE = 4096
    """With it the text ceased to be the beginning of any valid program."""
    SEAM = 8192
    """A window of a text longer than the context begins to score with it."""


def not_favourite(trace: Trace) -> NDArray[np.bool_]:
    """Which tokens the run chose itself although another was more probable by the raw
    distribution, bool [T]."""
    return np.asarray((trace.source == "sampled") & (trace.rank > 1))


SEAM_WORDS = "a window begins"


def seam_remarks(trace: Trace) -> dict[int, str]:
    """By position, what is said of a token with which another window begins to score."""
    lengths = trace.context_length
    return {
        position: f"{SEAM_WORDS}: the model had read {count_text(int(lengths[position]), 'token')} "
        f"before this one, and {count_text(int(lengths[position - 1]), 'token')} before the last"
        for position in trace.seams.tolist()
    }


def tokens(trace: Trace, *, show_bytes: bool) -> tuple[list[str], list[int]]:
    """The texts of a trace's tokens, and their flags."""
    flags: list[int] = []
    for source, special, changed in zip(
        trace.source.tolist(), trace.special.tolist(), not_favourite(trace).tolist(), strict=True
    ):
        flag = TokenFlag(0)
        if source == "prompt":
            flag |= TokenFlag.PROMPT
        elif source == "forced":
            flag |= TokenFlag.FORCED
        if special:
            flag |= TokenFlag.SPECIAL
        if changed:
            flag |= TokenFlag.NOT_FAVOURITE
        flags.append(int(flag))
    for position in trace.seams.tolist():
        flags[position] |= int(TokenFlag.SEAM)
    pieces = [trace.vocabulary.token_bytes[token_id] for token_id in trace.token_ids.tolist()]
    return spelled(pieces, flags, show_bytes=show_bytes)


def spelled(
    pieces: Sequence[bytes], flags: Sequence[int], *, show_bytes: bool
) -> tuple[list[str], list[int]]:
    """The texts of consecutive bytes, and their flags with what their bytes add to them."""
    texts: list[str] = []
    added: list[int] = []
    for data, given in zip(pieces, flags, strict=True):
        flag = given
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.hex(" ").upper()
            flag |= TokenFlag.INCOMPLETE
        if text.isspace():
            flag |= TokenFlag.WHITESPACE
        texts.append(text)
        added.append(int(flag))
    if not show_bytes:
        _join_characters(pieces, texts, added)
    return texts, added


def _join_characters(pieces: Sequence[bytes], texts: list[str], flags: list[int]) -> None:
    """Show a character that several tokens make up together on the first of them."""
    start = 0
    while start < len(pieces):
        end, character = _character_from(pieces, flags, start)
        if character:
            texts[start] = character
            for index in range(start, end):
                flags[index] &= ~TokenFlag.INCOMPLETE
                flags[index] |= 0 if index == start else TokenFlag.CONTINUES
        start = end


def _character_from(pieces: Sequence[bytes], flags: list[int], start: int) -> tuple[int, str]:
    """The fewest incomplete tokens from `start` on that are text together: their end and text.

    Without such tokens the end is the next token and the text empty.
    """
    data = b""
    for end in range(start, len(pieces)):
        if not flags[end] & TokenFlag.INCOMPLETE:
            break
        data += pieces[end]
        try:
            return end + 1, data.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return start + 1, ""
