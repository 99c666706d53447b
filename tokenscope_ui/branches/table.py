"""The branches of a tree as a table, in the order a person picks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_ui.branches.words import finish_text, standing_text
from tokenscope_ui.trace.code_standing import STANDING_WORDS

# What is sorted by, as shown: the column, and whether low values come first.
SORTS: dict[str, tuple[str, bool]] = {
    "order made": ("order", True),
    "sequence log-probability": ("total_logprob", False),
    "mean surprisal": ("mean_surprisal", True),
    "mean entropy": ("mean_entropy", True),
    "how the code stands": ("standing", True),
}
_SORT = "branches_sort"
_HEIGHT = 420


def ordered(frame: pd.DataFrame, sort: str) -> pd.DataFrame:
    """The rows of `traces.figures`, best first; what is missing comes last, ties in the
    order they were made."""
    column, ascending = SORTS[sort]
    values = frame[column]
    if column == "standing":
        values = values.map({stands: rank for rank, stands in enumerate(STANDING_WORDS)})
    keyed = frame.assign(_value=pd.to_numeric(values, errors="coerce").astype(float))
    by_order = keyed.sort_values("order")
    ranked = by_order.sort_values("_value", ascending=ascending, na_position="last", kind="stable")
    return ranked.drop(columns="_value")


def sort_control() -> str:
    """By what the table and the overview are sorted."""
    return str(
        st.selectbox(
            "Sort by", list(SORTS), key=_SORT, width=260, persist_state="session",
            help="Best first. A longer text has a lower sequence log-probability: compare it "
            "between branches of equal length, else compare the means.",
        )
    )  # fmt: skip


def show_branch_table(frame: pd.DataFrame, unit: LogUnit) -> None:
    """Draw the rows in their order."""
    st.dataframe(
        _on_screen(frame, unit),
        hide_index=True,
        height=min(_HEIGHT, 38 + 35 * len(frame)),
        column_config=_columns(unit),
        key="branches table",
        placeholder="–",
    )
    if frame["mean_surprisal"].isna().any():
        st.caption(
            "“–” for a mean: not available. The trace is no longer stored, or no token of it has a "
            "distribution before it."
        )


def _on_screen(frame: pd.DataFrame, unit: LogUnit) -> pd.DataFrame:
    def scaled(column: str, metric: str) -> pd.Series:
        return pd.Series(to_screen(metric, frame[column].to_numpy(float), unit), frame.index)

    def worded(column: str, words: Callable[[Any], str]) -> list[str | None]:
        return [None if pd.isna(value) else words(value) for value in frame[column]]

    # How the code stands and what is sorted by come first: in sight in a window of 1280 pixels.
    return pd.DataFrame(
        {
            "shown": ["▸" if chosen else "" for chosen in frame["selected"]],
            "order": frame["order"],
            "name": frame["name"],
            "code": worded("standing", standing_text),
            "ends": worded("finish_reason", finish_text),
            "logprob": scaled("total_logprob", "logprob"),
            "surprisal": scaled("mean_surprisal", "surprisal"),
            "entropy": scaled("mean_entropy", "entropy"),
            "fork": frame["fork_position"],
            "put there": worded("forced", lambda text: on_one_line(text.encode())),
            "tokens": frame["tokens"],
            "generated": frame["generated_tokens"],
            "perplexity": frame["perplexity"],
            "span": frame["span"],
            "note": frame["note"],
        }
    )


def _columns(unit: LogUnit) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    span = "Over the generated tokens, or over the text where nothing was generated."
    return {
        "shown": text("", width=20, help="The branch that is selected."),
        "order": number("made", width=50, help="The how manyth branch of the tree it is."),
        "name": text("branch", width=170),
        "fork": number("fork at", width=64, help="The position at which it leaves its parent."),
        "put there": text("put there", width="small", help="The text that was put at the fork."),
        "tokens": number("tokens", width=64),
        "generated": number("generated", width=80, help="Tokens after the prompt."),
        "logprob": number(f"log-probability ({unit})", format="%.2f", help=f"The sum. {span}"),
        "surprisal": number(f"mean surprisal ({unit})", format="%.3f", help=span),
        "perplexity": number("perplexity", format="%.2f", help=f"exp of mean surprisal. {span}"),
        "entropy": number(f"mean entropy ({unit})", format="%.3f", help=span),
        "ends": text("ends", width=110, help="Why it ends where it does."),
        "code": text(
            "code", width=156, help="In the language the text was read in; empty where none fits."
        ),
        "span": text("over", width="small", help="What the figures are over."),
        "note": text("note", width="medium"),
    }
