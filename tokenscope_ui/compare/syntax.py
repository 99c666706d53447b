"""Which parts of the code changed: tokens and mean surprisal by syntactic category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Comparison
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.formatting import NOT_AVAILABLE
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_core.syntax.folding.frames import syntax_frame
from tokenscope_ui.compare.payload import positions, side_trace
from tokenscope_ui.compare.state import SIDES, Side
from tokenscope_ui.compare.words import DIFFERENCE
from tokenscope_ui.trace.programs import program_of

_HEIGHT = 320


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """The parts of both texts from where they part on, and the language they were read in."""

    language: str
    guessed: bool
    table: pd.DataFrame


@lru_cache(maxsize=8)
def categories(comparison: Comparison) -> Categories | None:
    """The categories of the tokens from where the two part on; None where they
    are in no known language.

    The table is indexed by category, those that changed most first: of each side `tokens`,
    `differing` (without the same token in the other) and `surprisal` (mean, nats; NaN without
    tokens), as `tokens_a` and so on.
    """
    found = program_of(comparison.a).detected
    if not found.known:
        return None
    sides = [_of_side(comparison, side, found.language) for side in SIDES]
    table = pd.concat(sides, axis=1)
    counts = [f"{name}_{side}" for name in ("tokens", "differing") for side in SIDES]
    table[counts] = table[counts].fillna(0).astype(int)
    differing = table["differing_a"] + table["differing_b"]
    order = np.lexsort((-table["tokens_a"].to_numpy(), -differing.to_numpy()))
    return Categories(found.language, found.certainty == "a guess", table.iloc[order])


def _of_side(comparison: Comparison, side: Side, language: str) -> pd.DataFrame:
    trace, own = side_trace(comparison, side), positions(comparison, side)
    differing = np.zeros(len(trace), dtype=bool)
    differing[own[own >= 0]] = (comparison.alignment.kind != "same")[own >= 0]
    tokens = pd.DataFrame(
        {
            "category": syntax_frame(program_of(trace, language))["category"].astype("str"),
            "differing": differing,
            "surprisal": trace.surprisal,
        }
    )
    parted = tokens.iloc[comparison.shared_prefix :].dropna(subset="category")
    groups = parted.groupby("category")
    table = pd.DataFrame(
        {
            "tokens": groups.size(),
            "differing": groups["differing"].sum(),
            "surprisal": groups["surprisal"].mean(),
        }
    )
    return table.add_suffix(f"_{side}")


def show_changed_parts(comparison: Comparison, unit: LogUnit) -> None:
    """Draw the table; nothing where no language is known."""
    found = categories(comparison)
    if found is None or not len(found.table):
        return
    label = language_label(found.language)
    how = "a guess" if found.guessed else "as its text suggests"
    st.markdown("**Which parts of the code changed**, from where they part on")
    st.dataframe(
        screen_table(found, unit), hide_index=True, key="compare categories",
        height=min(_HEIGHT, 40 + 35 * len(found.table)), placeholder=NOT_AVAILABLE,
        column_config={
            name: st.column_config.NumberColumn(
                name, format="%+.3f" if DIFFERENCE in name else "%.3f"
            )
            for name in _surprisals(unit)
        },
    )  # fmt: skip
    st.caption(
        f"Read as {label}, {how}. Differing: without the same token in the other. A token that "
        "lies in several parts counts for the one that holds most of its bytes."
    )


def screen_table(found: Categories, unit: LogUnit) -> pd.DataFrame:
    """The table with the names and units of the screen."""
    table = found.table
    a, b = (to_screen("surprisal", table[f"surprisal_{s}"].to_numpy(float), unit) for s in SIDES)
    shown = {"category": table.index.to_numpy()}
    for name in ("tokens", "differing"):
        shown |= {f"{name} in {side.upper()}": table[f"{name}_{side}"].to_numpy() for side in SIDES}
    return pd.DataFrame(shown | dict(zip(_surprisals(unit), (a, b, b - a), strict=True)))


def _surprisals(unit: LogUnit) -> list[str]:
    return [f"mean surprisal, {name} ({unit})" for name in ("A", "B", DIFFERENCE)]
