"""How models are told of a gap: the marks around the code before and after it, and their order.

A model then writes what belongs between (PSM and SPM layouts of arXiv:2207.14255). A layout is
known by the names of its marks, so a tokenizer's vocabulary says whether a gap can be filled.
Nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from tokenscope_core.record.trace import Trace


@dataclass(frozen=True, slots=True)
class FillConvention:
    """One layout: `prefix` and `suffix` are the marks before the code before and after the gap,
    `middle` the one after which the model writes (None: it goes on after the last part).

    With `suffix_first` the code after the gap is read before the code before it. The model is done
    at any mark, or at one of the tokens in `ends`.
    """

    prefix: str
    suffix: str
    middle: str | None
    suffix_first: bool = False
    ends: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks in the order in which they are read."""
        parts = (self.prefix, self.suffix)
        parts = parts[::-1] if self.suffix_first else parts
        return parts if self.middle is None else (*parts, self.middle)

    @property
    def controls(self) -> tuple[str, ...]:
        """Every token name that has a meaning of its own here."""
        return (*self.marks, *self.ends)


CONVENTIONS = (
    # Qwen2.5-Coder (arXiv:2409.12186, and the stop tokens of its published example), CodeGemma
    # (ai.google.dev/gemma/docs/codegemma/prompt-structure: ends at <|file_separator|>), Granite
    # from 3.3 on, and the shipped model.
    FillConvention(
        "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
        ends=("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|file_separator|>"),
    ),
    # StarCoder (arXiv:2305.06161), StarCoder2 (arXiv:2402.19173: files end at <file_sep>),
    # Granite Code (arXiv:2405.04324), Stable Code (arXiv:2404.01226).
    FillConvention(
        "<fim_prefix>", "<fim_suffix>", "<fim_middle>", ends=("<fim_pad>", "<file_sep>"),
    ),
    # SantaCoder (arXiv:2301.03988).
    FillConvention("<fim-prefix>", "<fim-suffix>", "<fim-middle>", ends=("<fim-pad>",)),
    # DeepSeek-Coder (arXiv:2401.14196): its marks say begin, hole and end.
    FillConvention("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    # Code Llama (arXiv:2308.12950, section 2.3).
    FillConvention("▁<PRE>", "▁<SUF>", "▁<MID>", ends=("▁<EOT>",)),
    # Seed-Coder (its model card).
    FillConvention("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", suffix_first=True),
    # Codestral (mistral-common, `encode_fim`): no mark before the middle.
    FillConvention("[PREFIX]", "[SUFFIX]", None, suffix_first=True),
)  # fmt: skip


def convention_of(token_names: Container[str]) -> FillConvention | None:
    """The convention whose marks are all among a vocabulary's names; None where none is."""
    return next((c for c in CONVENTIONS if all(mark in token_names for mark in c.marks)), None)


@dataclass(frozen=True, slots=True)
class FilledGap:
    """The code of a filled gap in its own order, as bytes: the last may end inside a character."""

    before: bytes
    middle: bytes
    after: bytes
    suffix_first: bool

    @property
    def code(self) -> bytes:
        """All of it."""
        return self.before + self.middle + self.after


def filled_gap(trace: Trace) -> FilledGap | None:
    """The code that a trace makes together with its gap; None where it has none, or was stopped
    before it had read what is around it."""
    if trace.request.suffix is None:
        return None
    ids = trace.token_ids.tolist()
    places: dict[str, int] = {}
    for place, token_id in enumerate(ids[: trace.prompt_length]):
        if token_id in trace.vocabulary.special_ids:
            places.setdefault(trace.vocabulary.label(token_id), place)
    convention = convention_of(places)
    if convention is None:
        return None
    starts = [places[mark] for mark in convention.marks]
    if starts != sorted(starts):
        return None
    ends = [*starts[1:], trace.prompt_length]
    spans = {
        mark: ids[start + 1 : end]
        for mark, start, end in zip(convention.marks, starts, ends, strict=True)
    }
    return FilledGap(
        # Of the three parts only the code before the gap begins like a text of its own.
        before=b"".join(trace.vocabulary.pieces(spans[convention.prefix])),
        middle=_joined(trace, ids[trace.prompt_length :]),
        after=_joined(trace, spans[convention.suffix]),
        suffix_first=convention.suffix_first,
    )


def _joined(trace: Trace, ids: list[int]) -> bytes:
    tokens = (token_id for token_id in ids if token_id not in trace.vocabulary.special_ids)
    return b"".join(trace.vocabulary.token_bytes[token_id] for token_id in tokens)
