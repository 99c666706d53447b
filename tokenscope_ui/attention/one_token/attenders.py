"""Later tokens by heads, or by layers: who attends to one token."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Attenders, Trace
from tokenscope_core.display.formatting import count_text
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention import controls, state
from tokenscope_ui.attention.capturing import need
from tokenscope_ui.attention.one_token.grids import grid_chart
from tokenscope_ui.attention.required_captures import attenders_of
from tokenscope_ui.attention.tokens import labels
from tokenscope_ui.attention.view_choice import AttentionLook, Columns
from tokenscope_ui.attention.weights import share_text
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.runs import runs

GRID_KEY = "attention_attenders"
MOST_ROWS = 40
_COLUMNS: dict[Columns, str] = {"layer": "layers", "head": "heads"}
_HELP = (
    "By layers: the mean of the heads of each. By heads: the mean over all layers, which have no "
    "more in common than the head’s number; of one layer alone with One layer and head."
)


def show_attenders(trace: Trace, key: int, look: AttentionLook) -> None:
    """Draw which later tokens attend to the one at `key`; a click opens that row."""
    st.markdown("**Who attends to it**")
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention attenders"):
        controls.question(look)
        if not look.one_head:
            controls.segmented("Columns", "columns", look.columns, _COLUMNS, help=_HELP)
    found = need(trace, attenders_of(trace, key), "Who attends to it, in all heads")
    if not isinstance(found, Attenders) or not found.layers:
        return
    layer = look.layer if look.one_head and look.layer in found.layers else None
    by_head = look.one_head or look.columns == "head"
    values = found.by_head(layer if isinstance(layer, int) else None) if by_head else (
        found.by_layer()
    )  # fmt: skip
    numbers = range(values.shape[1]) if by_head else found.layers
    cells = cells_of(trace, found, values, tuple(numbers), look)
    if not len(cells):
        st.caption("No later token can attend to it.")
        return
    across = "head" if by_head else "layer"
    high = float(np.nanmax(cells["weight"])) if cells["weight"].notna().any() else 1.0
    draw = functools.partial(
        grid_chart, cells.rename(columns={"column": across}), across=across, down="position",
        label="token", high=high, selected=None, title="of the row",
    )  # fmt: skip
    chart_files.draw_chart(
        draw(dark=st.context.theme.type == "dark"), on_white=draw, key=GRID_KEY,
        name=files.stem("attends-to", str(key)), file_width=None, width="content",
        on_select=functools.partial(_take_cell, key, across), selection_mode="pick",
    )  # fmt: skip
    later, shown = len(found.queries) - 1, cells["position"].nunique()
    left_out = (
        f"The {shown:,} of {count_text(later, 'later token')} that attend to it most, in their "
        "order. "
        if shown < later
        else ""
    )
    what = f"heads of layer {layer}" if layer is not None else (
        f"{'heads, mean of' if by_head else ''} {count_text(len(found.layers), 'layer')}"
        f"{'' if by_head else ', mean of their heads'}"
    )  # fmt: skip
    st.caption(
        f"{left_out}Down: tokens, by the row that stands for them; across: {what.strip()}; "
        "colour: the share of the row, nothing masked. Click a cell to see that row on the code."
    )


def cells_of(
    trace: Trace, found: Attenders, values: Floats, numbers: tuple[int, ...], look: AttentionLook
) -> pd.DataFrame:
    """A row a cell: `column`, `position` of the token whose row it is, `token`, `weight`, `share`;
    of the later tokens at most `MOST_ROWS`, those with the largest weight anywhere."""
    shift = 0 if look.question == "at" else 1
    # A token's own row, where it predicts nothing later, says nothing of others.
    stands_for = found.queries + shift
    kept = np.flatnonzero((stands_for < len(trace)) & (stands_for > found.key))
    most = np.nan_to_num(values[kept], nan=-1.0).max(axis=1)
    kept = np.sort(kept[np.argsort(-most, kind="stable")[:MOST_ROWS]])
    positions = stands_for[kept]
    names = labels(trace)
    weight = values[kept].ravel()
    return pd.DataFrame(
        {
            "column": np.tile(np.array(numbers, dtype=np.int64), len(kept)),
            "position": np.repeat(positions, len(numbers)),
            "token": np.repeat([f"{p} {names[p]}" for p in positions.tolist()], len(numbers)),
            "weight": weight,
            "share": [share_text(w) if w == w else "not seen from there" for w in weight.tolist()],
        }
    )


def _take_cell(key: int, across: str) -> None:
    picked = st.session_state[GRID_KEY].selection.get("pick") or []
    if not picked:
        return
    number = int(picked[0][across])
    runs.select(int(picked[0]["position"]))
    state.choose(view="token", direction="from", together="token", key=key, **{across: number})
