"""Whether the text of an answer is what its tokens spell."""

from __future__ import annotations

from collections.abc import Sequence

_QUOTED = 40


def begins_with_dummy_space(text: str, pieces: Sequence[bytes | None]) -> bool:
    """Whether the tokens spell the text but for a space before it, as SentencePiece's do."""
    if any(piece is None for piece in pieces):
        return False
    spelled = _decoded(b"".join(piece or b"" for piece in pieces))
    return not text.startswith(" ") and spelled == f" {text}"


def contradiction(
    text: str, pieces: Sequence[bytes | None], *, cut: bool, part: bool
) -> tuple[str, ...]:
    """A sentence where they do not agree.

    Args:
        text: what the answer says.
        pieces: the bytes that each of its tokens adds, None where they are unknown.
        cut: whether the end of the tokens may be missing in the text, as a stop string is.
        part: whether more of the tokens may be missing.
    """
    runs: list[bytes] = [b""]
    for piece in pieces:
        if piece is None:
            runs.append(b"")
        else:
            runs[-1] += piece
    spelled = [_decoded(run) for run in runs]
    whole = "".join(spelled)
    if len(spelled) > 1:
        agrees = _in_order(spelled, text, open_end=cut)
    else:
        agrees = (
            whole == text
            or (cut and whole.startswith(text))
            or whole.strip() == text.strip()
            or whole.rstrip("\ufffd") == text.rstrip("\ufffd")
        )
    if agrees or (part and (text.strip() in whole or len(spelled) > 1)):
        return ()
    begins = next(
        (i for i, (a, b) in enumerate(zip(text, whole, strict=False)) if a != b),
        min(len(text), len(whole)),
    )
    return (
        "The answer's text contradicts its tokens: from character "
        f"{begins + 1:,} on it says “{_quoted(text, begins)}”, and they say "
        f"“{_quoted(whole, begins)}”. Shown is what the tokens say.",
    )


def _in_order(parts: Sequence[str], text: str, *, open_end: bool) -> bool:
    """Whether the text has the parts in turn, with something unknown between each two."""
    if not text.startswith(parts[0]):
        return open_end and parts[0].startswith(text)
    place = len(parts[0])
    for part in parts[1:-1]:
        found = text.find(part, place)
        if found < 0:
            return open_end
        place = found + len(part)
    return open_end or (len(text) - len(parts[-1]) >= place and text.endswith(parts[-1]))


def _decoded(piece: bytes) -> str:
    return piece.decode("utf-8", errors="replace")


def _quoted(text: str, begin: int) -> str:
    # Half of a surrogate pair, which JSON can spell, is shown on no page.
    rest = text[begin : begin + _QUOTED + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return rest if len(rest) <= _QUOTED else rest[:_QUOTED] + "…"
