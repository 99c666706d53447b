"""What a text is compared with on the page of syntax: its own prompt, or another branch.

The address holds `with`: "prompt", or the key of the branch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace, aggregate, aggregate_difference
from tokenscope_core.caching import lru_cache
from tokenscope_core.syntax.counted import Counted
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.runs import sessions
from tokenscope_ui.syntax_view.reading import SyntaxLook, analysed, shown_parts

WITH_PARAMETER = "with"
WITH_KEY = "syntax_with"
PROMPT = "prompt"
_NOTHING = ""
_SEEN = "syntax_address_seen"


@dataclass(frozen=True, slots=True)
class Other:
    """The other side: a trace, which of its tokens count, and what it is called in a sentence.

    `shared` says how many of them are the same tokens on both sides: what two branches grew on.
    """

    name: str
    trace: Trace
    prompt_only: bool = False
    shared: int = 0

    def counted(self, look: SyntaxLook) -> Counted:
        """Which of its tokens count."""
        if self.prompt_only:
            return "prompt"
        return "all" if look.prompt else "generated"


def restore() -> None:
    """Take up what the address names, where a person changed it."""
    named = st.query_params.get(WITH_PARAMETER, _NOTHING)
    if named != st.session_state.get(_SEEN, _NOTHING):
        st.session_state[_SEEN] = named
        st.session_state[WITH_KEY] = named


def publish() -> None:
    """Make the address name what is chosen."""
    chosen = st.session_state.get(WITH_KEY) or _NOTHING
    st.session_state[_SEEN] = chosen
    if not chosen:
        st.query_params.pop(WITH_PARAMETER, None)
    elif st.query_params.get(WITH_PARAMETER) != chosen:
        st.query_params[WITH_PARAMETER] = chosen


def choose(trace: Trace) -> tuple[Other | None, str | None]:
    """Draw the choice; returns what is chosen, None for nothing, and why it cannot be had."""
    names = _offered(trace)
    named = st.session_state.get(WITH_KEY, _NOTHING)
    if named not in names:
        st.session_state.pop(WITH_KEY, None)
    chosen = st.selectbox(
        "Compare with", tuple(names), key=WITH_KEY, width=220, persist_state="session",
        format_func=lambda key: names[key],
        help="Adds the mean of the other and the difference to the table by parts, and the other "
        "to the chart.",
    )  # fmt: skip
    if named not in names:
        return None, "The address names a branch to compare with that the session does not hold."
    if chosen == _NOTHING:
        return None, None
    if chosen == PROMPT:
        return Other("the prompt", trace, prompt_only=True), None
    found, name = stored(chosen), f"“{names[chosen]}”"
    if found is None:
        return None, f"The trace of {name} is no longer stored. Compute it again on Branches."
    return Other(name, found, shared=_shared(trace, found)), None


def _offered(trace: Trace) -> dict[str, str]:
    names = {_NOTHING: "nothing"}
    if 0 < trace.prompt_length < len(trace):
        names[PROMPT] = "the prompt"
    session = sessions.current()
    if session is not None:
        names |= {b.key: b.name for b in session.branches if b.key != trace.key}
    return names


def _shared(a: Trace, b: Trace) -> int:
    """How many generated tokens both begin with."""
    length = min(len(a), len(b))
    differing = np.flatnonzero(a.token_ids[:length] != b.token_ids[:length])
    same = int(differing[0]) if len(differing) else length
    return max(0, same - max(a.prompt_length, b.prompt_length))


def comparable(look: SyntaxLook) -> bool:
    """Whether the parts of the level in view mean the same in two texts."""
    return look.level != "line"


@lru_cache(maxsize=16)
def compared_parts(trace: Trace, look: SyntaxLook, other: Other | None) -> pd.DataFrame:
    """The parts that table and chart show, in stored units: those of `shown_parts`, then those
    that only the other has.

    Added columns: of the other `n_other`, `mean_other`, `ci_low_other`, `ci_high_other`,
    `ci_note_other`; the mean less the other's as `difference`, with `low` and `high` (see
    `aggregate_difference`); `only` ("here", "there" or ""), and `thin` where either side is. What
    a side does not have is NaN.
    """
    own = shown_parts(trace, look)
    if other is None or not comparable(look):
        return own.assign(only="")
    level, language = look.level, look.language
    there = analysed(other.trace, language)
    table = aggregate(there, level, look.metric, counted=other.counted(look)).set_index(level)
    found = aggregate_difference(
        there, analysed(trace, language), level, look.metric, counted_a=other.counted(look),
        counted_b="all" if look.prompt else "generated",
    ).set_index(level)  # fmt: skip
    alone = [part for part in table.index if part not in set(own[level]) and table["n"][part] > 0]
    own = own.set_index(level)
    rows = own.reindex([*own.index, *alone])
    both = found.reindex(rows.index)
    values = {f"{name}_other": table[name].reindex(rows.index) for name in _OTHERS}
    rows = rows.assign(
        **values, difference=both["difference"], low=both["ci_low"], high=both["ci_high"],
        only=both["only"].map({"a": "there", "b": "here"}).fillna(""),
        thin=both["thin"].fillna(True).astype(bool),
    )  # fmt: skip
    return rows.rename_axis(level).reset_index()


_OTHERS = ("n", "mean", "ci_low", "ci_high", "ci_note")
