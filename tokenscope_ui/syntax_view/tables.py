"""The tables of the page: parts, statements, what does not parse, unknown names. A click on a row
shows it in the code."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import screen_unit, to_screen
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.syntax_view import controls, state
from tokenscope_ui.syntax_view.other import Other, compared_parts
from tokenscope_ui.syntax_view.pieces import cut
from tokenscope_ui.syntax_view.reading import (
    SyntaxLook,
    analysed,
    counted,
    in_screen_units,
    least_sure_is_low,
    mean_label,
    pieces,
    shown_parts,
)
from tokenscope_ui.syntax_view.words import (
    FOR_THIS_TEXT,
    LEAST_STATEMENTS,
    THIN_WORDS,
    label_text,
    number_text,
    one_line,
)
from tokenscope_ui.trace.code_standing import line_of

_ROW, _HEAD = 35, 40
_INTERVAL = {"ci_low": "95 % from", "ci_high": "95 % to"}
_COMPARED = {
    "mean_other": "mean there", "difference": "difference",
    "low": "difference, 95 % from", "high": "difference, 95 % to",
}  # fmt: skip
_SPREAD = {
    "median": "median", "q25": "lower quartile",
    "q75": "upper quartile", "min": "least", "max": "greatest", "std": "std",
}  # fmt: skip

_HELP = {
    "tokens": "One that lies in several parts counts in each with its share of bytes.",
    "remark": f"{THIN_WORDS.capitalize()}, so that the mean says little.",
    "95 % from": FOR_THIS_TEXT,
    "difference": "The mean here less the mean there.",
    "difference, 95 % from": "An interval for these two texts, their statements counting as drawn. "
    f"None where either has fewer than {LEAST_STATEMENTS} statements with such tokens.",
    "median": "The least value that reaches half of the tokens, by their shares; quartiles alike.",
    "std": "Root of the mean squared deviation from the mean.",
}


def show_parts(trace: Trace, look: SyntaxLook, other: Other | None) -> None:
    """Draw the aggregate, beside that of the other; a click shows the part in the code."""
    table = part_table(trace, look, other)
    firsts = first_bytes(trace, look, other)
    _clickable(
        trace, table, firsts, name="parts", look=look, height=460, as_parts=True,
        rows="" if other is None else f"{other.name} {other.trace.key[:12]}",
        column_config={
            look.level: st.column_config.Column(
                # The places of nested scopes differ at their ends.
                look.level, width={"line": 50, "scope": 250}.get(look.level, 132), pinned=True
            ),
            "remark": st.column_config.TextColumn(
                "remark", width=62 if other is None else 78, help=_HELP["remark"]
            ),
            "code": st.column_config.TextColumn("code", width=96),
            "bytes": st.column_config.NumberColumn("bytes", format="%d", width=58),
            **{
                name: st.column_config.NumberColumn(
                    name, format=_count_form(table[name]), width=width, help=_HELP.get(name)
                )
                for name, width in (("tokens", 58), ("tokens there", 86))
                if name in table
            },
            **_number_columns(table.columns, look),
        },
    )  # fmt: skip
    missing = float(shown_parts(trace, look)["missing"].sum())
    if missing:
        st.caption(f"{missing:.0f} of the tokens have no {BY_NAME[look.metric].label}: left out.")


def part_table(trace: Trace, look: SyntaxLook, other: Other | None = None) -> pd.DataFrame:
    """The aggregate with the names and units of the screen, the least sure part first, then the
    parts that only the other has."""
    table = compared_parts(trace, look, other)
    screen = in_screen_units(table, look.metric, look.unit)
    shown: dict[str, object] = {
        look.level: (
            table["line"].tolist() if look.level == "line"
            else [label_text(part, look.level) for part in table[look.level].tolist()]
        ),
        "tokens": table["n"].to_numpy(),
        # Beside what it is said of, and not cut off where the page is narrow.
        "remark": _remarks(table),
        mean_heading(look): screen["mean"].to_numpy(),
    }  # fmt: skip
    shown |= {heading: screen[name].to_numpy() for name, heading in _INTERVAL.items()}
    if other is not None and "n_other" in table:
        shown["tokens there"] = table["n_other"].to_numpy()
        shown |= {
            heading: to_screen(look.metric, table[name].to_numpy(float), look.unit)
            for name, heading in _COMPARED.items()
        }
    shown |= {heading: screen[name].to_numpy() for name, heading in _SPREAD.items()}
    shown["bytes"] = table["bytes"].to_numpy()
    if look.level == "line":
        code = trace.text_bytes.split(b"\n")
        shown["code"] = [one_line(code[line - 1]) for line in table["line"].tolist()]
        shown = {name: shown[name] for name in ("line", "code", *shown)}
    return pd.DataFrame(shown)


def _remarks(table: pd.DataFrame) -> list[str]:
    alone = {"here": "only here", "there": "only there"}
    return [
        alone.get(only, "thin" if thin else "")
        for only, thin in zip(table["only"], table["thin"], strict=True)
    ]


def first_bytes(trace: Trace, look: SyntaxLook, other: Other | None = None) -> list[int | None]:
    """Where each part of the table has its first place that counts; None where it has none."""
    made = cut(analysed(trace, look.language), "part", look.level)
    end = made.end
    if counted(trace, look) == "generated" and trace.prompt_length:
        end = np.where(end <= trace.byte_end[trace.prompt_length - 1], -1, end)
    spans = np.flatnonzero(end > 0)
    first = {}
    for span in spans[::-1].tolist():
        first[made.labels[int(made.piece[span])]] = int(made.end[span]) - 1
    return [first.get(part) for part in compared_parts(trace, look, other)[look.level].tolist()]


def show_statements(trace: Trace, look: SyntaxLook) -> None:
    """Draw the statements, the least sure first."""
    table = statement_table(trace, look)
    _clickable(
        trace, table, table["byte"].tolist(), name="statements", look=look, height=215,
        column_order=[name for name in table.columns if name != "byte"],
        column_config={
            "tokens": st.column_config.NumberColumn(
                "tokens", format=_count_form(table["tokens"]), width=60
            ),
            "line": st.column_config.NumberColumn("line", format="%d", width=48),
            **_number_columns([mean_heading(look)], look),
        },
    )  # fmt: skip


@lru_cache(maxsize=16)
def statement_table(trace: Trace, look: SyntaxLook) -> pd.DataFrame:
    """Every statement with tokens that count: mean (screen units), `tokens`, `line`, `code`,
    `byte`; the least sure first."""
    made = cut(analysed(trace, look.language), "statement", look.level)
    figures = pieces(trace, look.language, "statement", look.level, look.metric, look.prompt)
    screen = in_screen_units(figures, look.metric, look.unit)
    order = figures["mean"].to_numpy(float) * (1.0 if least_sure_is_low(look.metric) else -1.0)
    kept = np.argsort(order, kind="stable")
    kept = kept[~np.isnan(order[kept])]
    text = trace.text_bytes
    code = _code_of_pieces(text, made.piece, made.start, made.end, len(made.labels))
    # In prose a blank line is a piece of its own; there is nothing to read in it.
    kept = kept[[bool(code[piece][1]) for piece in kept.tolist()]]
    first = [text.find(part[:1], start) if part else start for start, part in code]
    return pd.DataFrame(
        {
            mean_heading(look): screen["mean"].to_numpy()[kept],
            "tokens": figures["n"].to_numpy()[kept],
            "line": [line_of(trace, first[piece]) for piece in kept.tolist()],
            "code": [one_line(code[piece][1]) for piece in kept.tolist()],
            "byte": [first[piece] for piece in kept.tolist()],
        }
    )


def _code_of_pieces(
    text: bytes, piece: np.ndarray, start: np.ndarray, end: np.ndarray, count: int
) -> list[tuple[int, bytes]]:
    """Where each piece begins, and its text; what lies between its places is left out as `…`."""
    parts: list[list[bytes]] = [[] for _ in range(count)]
    starts = [0] * count
    for number, a, b in zip(piece.tolist(), start.tolist(), end.tolist(), strict=True):
        if not parts[number]:
            starts[number] = a
        parts[number].append(text[a:b].strip())
    return [(a, " … ".encode().join(filter(None, p))) for a, p in zip(starts, parts, strict=True)]


def show_findings(trace: Trace, table: pd.DataFrame, look: SyntaxLook, *, name: str) -> None:
    """Draw a table of places: errors, or names."""
    _clickable(
        trace, table, table["byte"].tolist(), name=name, look=look, height=250,
        column_order=[column for column in table.columns if column != "byte"],
        column_config={"line": st.column_config.NumberColumn("line", format="%d", width=48)},
    )  # fmt: skip


def _clickable(
    trace: Trace,
    table: pd.DataFrame,
    places: Sequence[int | None],
    *,
    name: str,
    look: SyntaxLook,
    height: int,
    column_config: dict[str, Any],
    column_order: Sequence[str] | None = None,
    as_parts: bool = False,
    rows: str = "",
) -> None:
    # Other rows are another table: what was chosen in one means nothing in the next.
    key = f"syntax {name} {state.drawing(name)} {trace.key[:12]} {look.metric} {look.level}"
    key += f" {look.language} {look.prompt} {rows}"
    st.dataframe(
        table, key=key, hide_index=True, height=min(height, _HEAD + _ROW * len(table)),
        on_select=functools.partial(_take, trace, tuple(places), name, key, as_parts),
        selection_mode="single-cell", column_config=column_config, column_order=column_order,
        placeholder="–",
    )  # fmt: skip


def _take(
    trace: Trace, places: tuple[int | None, ...], name: str, key: str, as_parts: bool
) -> None:
    cells = st.session_state[key].selection.cells
    place = places[int(cells[0][0])] if cells and 0 <= int(cells[0][0]) < len(places) else None
    if place is not None:
        if as_parts:
            controls.show_parts()
        state.select(trace, place, table=name)


def mean_heading(look: SyntaxLook) -> str:
    """The heading of the column of means, with its unit."""
    unit = screen_unit(BY_NAME[look.metric], look.unit)
    return f"{mean_label(look.metric)} ({unit})" if unit else mean_label(look.metric)


def _count_form(counts: pd.Series) -> str:
    """How a column of numbers of tokens is written: whole where none of them counts in parts."""
    return "%.1f" if any("." in number_text(count) for count in counts.dropna()) else "%.0f"


def _number_columns(names: Iterable[str], look: SyntaxLook) -> dict[str, Any]:
    """How figures are written; the heading of the mean is short, since its table is named by it."""
    form = "%.1f" if BY_NAME[look.metric].unit in ("rank", "ms") else "%.3f"
    unit = screen_unit(BY_NAME[look.metric], look.unit)
    headings = (*_INTERVAL.values(), *_COMPARED.values(), *_SPREAD.values())
    labels = {name: name for name in headings}
    # Right beside the difference.
    labels |= {_COMPARED["low"]: "95 % from", _COMPARED["high"]: "95 % to"}
    labels[mean_heading(look)] = f"mean ({unit})" if unit else "mean"
    return {
        name: st.column_config.NumberColumn(
            labels[name],
            width=84 if "diff" in name else 78,
            format=form.replace("%", "%+") if "diff" in name else form,
            help=_HELP.get(name),
        )
        for name in names
        if name in labels
    }
