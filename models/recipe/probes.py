"""Two things a code model should have learned: to copy a rare name, and to read a suffix."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from . import tokenizer as vocabulary
from .bits import surprisals

NAMES = 40

CONTEXTS = (
    ("def", "(values):\n    return sum(values) / len(values)\n\n\nresult ="),
    ("class", ":\n    def __init__(self, size):\n        self.size = size\n\n\nmade ="),
    ("import numpy as np\n\nwith open(path) as", ":\n    for row in range(3):\n        print(row,"),
    ("def scale(data,", ", offset=0):\n    return [value *"),
)
"""What stands before a name's first and before its second occurrence, up to the space."""

_SYLLABLES = ("zor", "vex", "qua", "lim", "tro", "gub", "fen", "wix", "yat", "pob", "kel", "dru")


def made_up_names(count: int, seed: int) -> list[str]:
    """Names that no corpus holds: three syllables and an underscore."""
    generator = random.Random(seed)
    return ["{}{}_{}".format(*generator.sample(_SYLLABLES, 3)) for _ in range(count)]


def induction(
    model: LlamaForCausalLM, tokenizer: Tokenizer, start_id: int, count: int = NAMES, seed: int = 3
) -> dict[str, float]:
    """Mean surprisal (nats a token) of a made-up name where it is defined and where it is used.

    `after_first_token` leaves out each occurrence's first token, whose surprisal also holds the
    choice of which name comes here. Induction heads: arXiv:2209.11895.
    """
    occurrences: tuple[list[float], list[float]] = ([], [])
    rests: tuple[list[float], list[float]] = ([], [])
    for number, name in enumerate(made_up_names(count, seed)):
        name_ids = tokenizer.encode(" " + name, add_special_tokens=False).ids
        ids = [start_id]
        places = []
        for text in CONTEXTS[number % len(CONTEXTS)]:
            ids += tokenizer.encode(text, add_special_tokens=False).ids
            places.append(len(ids))
            ids += name_ids
        (nats,) = surprisals(model, [ids])
        for which, place in enumerate(places):
            values = nats[place - 1 : place - 1 + len(name_ids)].tolist()
            occurrences[which].extend(values)
            rests[which].extend(values[1:])
    return {
        "first": float(np.mean(occurrences[0])),
        "second": float(np.mean(occurrences[1])),
        "first_after_first_token": float(np.mean(rests[0])),
        "second_after_first_token": float(np.mean(rests[1])),
    }


def fill_in_the_middle(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    count: int = 100,
    seed: int = 5,
) -> dict[str, float]:
    """Surprisal (nats a token) of one unseen line, knowing only what precedes it or both sides.

    Prefix and suffix are up to 1,000 characters each, in whole lines.
    """
    generator = random.Random(seed)
    end, prefix, middle, suffix = (
        vocabulary.special_id(tokenizer, name)
        for name in (
            vocabulary.END,
            vocabulary.FIM_PREFIX,
            vocabulary.FIM_MIDDLE,
            vocabulary.FIM_SUFFIX,
        )
    )
    without, given, better, tokens = 0.0, 0.0, 0, 0
    chosen = [generator.choice(texts) for _ in range(count)]
    for text in chosen:
        lines = text.splitlines(keepends=True)
        wanted = [number for number, line in enumerate(lines) if len(line.strip()) >= 10]
        place = generator.choice(wanted)
        parts = (
            _whole_lines(lines[:place][::-1])[::-1],
            _whole_lines(lines[place + 1 :]),
            [lines[place]],
        )
        before, after, line = (
            tokenizer.encode("".join(part), add_special_tokens=False).ids for part in parts
        )
        count_line = len(line)
        (plain,) = surprisals(model, [[end, *before, *line]])
        (filled,) = surprisals(model, [[end, prefix, *before, suffix, *after, middle, *line]])
        left, both = plain[-count_line:].sum(), filled[-count_line:].sum()
        without, given, tokens = without + left, given + both, tokens + count_line
        better += bool(both < left)
    return {
        "left_only": without / tokens,
        "both_sides": given / tokens,
        "better_share": better / count,
        "lines": count,
    }


def _whole_lines(lines: Sequence[str], characters: int = 1000) -> list[str]:
    """The first lines that fit in `characters` together."""
    kept: list[str] = []
    for line in lines:
        characters -= len(line)
        if characters < 0:
            break
        kept.append(line)
    return kept
