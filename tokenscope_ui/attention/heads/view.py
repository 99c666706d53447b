"""All heads at once: a grid coloured by a statistic, sorted, thresholded, and the head picked."""

from __future__ import annotations

import functools

import pandas as pd
import streamlit as st

from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.statistics import BY_NAME, HEAD_STATISTICS, HeadStatistic
from tokenscope_core.display.formatting import NOT_AVAILABLE, count_text
from tokenscope_ui.attention import controls, state
from tokenscope_ui.attention.heads.chart import bounds, head_chart, head_table, number_text
from tokenscope_ui.attention.view_choice import AttentionLook
from tokenscope_ui.drawing import chart_files, files

GRID_KEY = "attention_heads"
# Of these the telling heads are the low ones.
_ASCENDING = {"entropy_norm"}
_FIRST = "previous_token"
_ROW, _HEAD, _LIST_HEIGHT = 35, 40, 320
# More would take the browser seconds to draw.
_MOST_PICTURES = 600


def statistic_of(look: AttentionLook) -> HeadStatistic:
    """The statistic in view."""
    return BY_NAME.get(look.statistic or "") or BY_NAME[_FIRST]


def show_heads(overview: HeadOverview | None, look: AttentionLook) -> None:
    """Draw the grid, the heads in order, and the head in view."""
    statistic = statistic_of(look)
    names = [one.name for one in HEAD_STATISTICS]
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention head tools"):
        controls.select(
            "Colour by", "statistic", statistic.name, names, lambda n: BY_NAME[n].label, width=260
        )
        if overview is None:
            return
        ascending = statistic.name in _ASCENDING
        low, high = bounds(overview, statistic)
        threshold = st.slider(
            "Dim heads above" if ascending else "Dim heads below", low, high,
            high if ascending else low, key=f"attention_threshold_{statistic.name}", width=260,
            persist_state="session",
        )  # fmt: skip
        many = len(overview.layers) * overview.heads > _MOST_PICTURES
        pictures = st.toggle(
            "Small pictures", value=True, key="attention_pictures", persist_state="session",
            disabled=many, help=f"For up to {_MOST_PICTURES:,} heads." if many else None,
        )  # fmt: skip
        pictures = pictures and not many
    st.caption(_about(overview, statistic))
    table = head_table(overview, statistic.name, ascending=ascending)
    beyond = table["value"] > threshold if ascending else table["value"] < threshold
    selected = _selected(overview, look)
    left, right = st.columns([0.58, 0.42], gap="medium")
    with left, st.container(key="heads grid"):
        grid = functools.partial(
            head_chart, overview, table, statistic.name, beyond=beyond, selected=selected,
            pictures=pictures,
        )  # fmt: skip
        chart_files.draw_chart(
            grid(dark=st.context.theme.type == "dark"), on_white=grid, key=GRID_KEY,
            name=files.stem("heads", statistic.name), file_width=None,
            on_select=_take_cell, selection_mode="pick", width="content",
        )  # fmt: skip
        if pictures:
            st.caption(
                "Frame: the statistic. Picture: the head’s matrix, rows are queries, columns what "
                "they attend to, each pixel the largest weight it stands for, logarithmic from 0.1 "
                "to 100 %."
            )
    with right:
        _listed(table[~beyond], statistic, look)
        _head(overview, selected)


def _about(overview: HeadOverview, statistic: HeadStatistic) -> str:
    counts = overview.row_counts[statistic.name]
    if not counts.any():
        return f"{statistic.meaning} Not available: {statistic.missing}."
    there = counts > 0
    least, most = int(counts[there].min()), int(counts[there].max())
    rows = count_text(most, "row") if least == most else f"{least:,} to {most:,} rows"
    known = overview.uniform[statistic.name][there]
    texts = [number_text(statistic, float(end)) for end in (known.min(), known.max())]
    even = texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}, by layer"
    return (
        f"{statistic.meaning} Mean over {rows} ({statistic.rows}); a head that "
        f"attends evenly would have {even}. {statistic.source}."
    )


def _selected(overview: HeadOverview, look: AttentionLook) -> tuple[int, int] | None:
    if isinstance(look.layer, int) and isinstance(look.head, int):
        inside = look.layer in overview.layers and look.head < overview.heads
        return (look.layer, look.head) if inside else None
    return None


def _take_cell() -> None:
    picked = st.session_state[GRID_KEY].selection.get("pick") or []
    if picked:
        state.choose(layer=int(picked[0]["layer"]), head=int(picked[0]["head"]))


def _listed(table: pd.DataFrame, statistic: HeadStatistic, look: AttentionLook) -> None:
    """The heads that are not dimmed, the most telling first; a click picks one."""
    st.markdown(f"**{count_text(len(table), 'head')}, by {statistic.label}**")
    places = tuple(zip(table["layer"].tolist(), table["head"].tolist(), strict=True))
    # Another head in view, or another order, is another table: nothing is chosen in it.
    key = f"attention head list {statistic.name} {look.layer} {look.head} {look.masks} {len(table)}"
    st.dataframe(
        pd.DataFrame(
            {"layer": table["layer"], "head": table["head"], statistic.label: table["shown"]}
        ),
        key=key, hide_index=True, height=min(_LIST_HEIGHT, _HEAD + _ROW * max(1, len(table))),
        on_select=functools.partial(_take_row, key, places), selection_mode="single-cell",
        column_config={
            name: st.column_config.NumberColumn(format="%d", width=60) for name in ("layer", "head")
        },
    )  # fmt: skip


def _take_row(key: str, places: tuple[tuple[int, int], ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(places):
        layer, head = places[int(cells[0][0])]
        state.choose(layer=layer, head=head)


def _head(overview: HeadOverview, selected: tuple[int, int] | None) -> None:
    if selected is None:
        st.caption("Click a head to see all its figures and to open it.")
        return
    layer, head = selected
    st.markdown(f"**Layer {layer}, head {head}**")
    with st.container(horizontal=True):
        for label, view, icon in (
            ("On the code", "token", ":material/format_ink_highlighter:"),
            ("As a matrix", "matrix", ":material/grid_on:"),
        ):
            st.button(
                label, icon=icon, key=f"attention open {view}", on_click=state.choose,
                kwargs={"view": view},
            )  # fmt: skip
    at = overview.layers.index(layer)
    rows = []
    for statistic in HEAD_STATISTICS:
        value = float(overview.statistic(statistic.name)[at, head])
        shown = number_text(statistic, value)
        if value != value:
            shown = f"{NOT_AVAILABLE}: {overview.missing_reason(statistic.name, layer)}"
        even = number_text(statistic, float(overview.uniform[statistic.name][at]))
        rows.append({"statistic": statistic.label, "this head": shown, "evenly": even})
    st.table(pd.DataFrame(rows), hide_index=True)
