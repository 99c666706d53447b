"""Where sampling changed the choice: the token drawn was not the model's raw favourite."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tokenscope_core import Trace
from tokenscope_core.display.formatting import probability_text
from tokenscope_core.display.visible import on_one_line


def drawn(trace: Trace) -> NDArray[np.bool_]:
    """Which tokens the run chose itself, bool [T]."""
    return np.asarray(trace.source == "sampled")


def in_words(trace: Trace, position: int) -> str | None:
    """How the token at a position was chosen, as Markdown; None where it was not."""
    if not drawn(trace)[position]:
        return None
    chance = math.exp(trace.sampled_logprob[position])
    raw = probability_text(float(trace.prob[position]))
    if math.isnan(chance):
        how = f"drawn with a probability that is not told (raw {raw})"
    elif chance == 1.0:
        how = f"certain to be taken; its raw probability is {raw}"
    else:
        how = f"drawn with probability {probability_text(chance)} (raw {raw})"
    if trace.rank[position] == 1:
        return f"The raw favourite, {how}."
    if math.isnan(trace.rank[position]):
        return f"A token whose place among the favourites is not told, {how}."
    favourite = int(trace.candidate_ids[position, 0])
    return (
        f"Sampling chose the {_ordinal(int(trace.rank[position]))} favourite, {how}. "
        f"The raw favourite was {code(trace.vocabulary.token_bytes[favourite])} "
        f"({probability_text(math.exp(trace.candidate_logprobs[position, 0]))})."
    )


def code(data: bytes) -> str:
    """A token as a Markdown code span; backticks are the only thing that could end one."""
    return f"`{on_one_line(data).replace('`', 'ˋ')}`"


def token_text(trace: Trace, position: int) -> str:
    """A trace's token on one line, with nothing left to guess."""
    return on_one_line(trace.vocabulary.token_bytes[int(trace.token_ids[position])])


def token_code(trace: Trace, position: int) -> str:
    """A trace's token as a Markdown code span."""
    return code(trace.vocabulary.token_bytes[int(trace.token_ids[position])])


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
