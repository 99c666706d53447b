"""Charts: data frame in, Altair out. No Streamlit, no tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core.branches.influence import Influence
from tokenscope_core.display.formatting import (
    ABLE,
    NOT_AVAILABLE,
    UNABLE,
    count_text,
    metric_text,
    probability_text,
)
from tokenscope_core.display.scales import LogUnit, Scale, tint_values, to_screen, trace_scale
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.arrays import REMOVED as FILTERED
from tokenscope_core.record.trace import Trace

# Blue and orange of Okabe and Ito's palette, told apart with any colour vision.
TAKEN, OTHER, TAIL = "#E69F00", "#56B4E9", "#999999"
REMOVED = "removed"
# Vermilion of the same palette; what a candidate would do to the code, and the sign for it.
ALARM = "#D55E00"
BREAKS, CAN_GO_ON, WARNING = "would break here", ABLE, "⚠"
_RIBBON = 6
_RIBBON_COLOURS = {ABLE: "#009E73", UNABLE: ALARM}
# The outline and the inside of each kind's bar.
KINDS: dict[str, tuple[str, str]] = {
    "taken": (TAKEN, TAKEN),
    "candidate": (OTHER, OTHER),
    REMOVED: (OTHER, "transparent"),
    "tail": (TAIL, TAIL),
}
# Room for what is written beside a bar of 100 %.
_FULL_ROW = 1.12
_ROW_HEIGHT = 20
_CODE_FONT = '"Source Code Pro", monospace'
_LABEL_LENGTH = 24


def candidate_table(
    trace: Trace,
    position: int,
    most: int,
    breaking: Sequence[bool | None] = (),
    *,
    taken_breaks: bool = False,
) -> pd.DataFrame:
    """At most `most` candidates at a position, the token taken, the further candidates as one row
    and all other tokens as another: their probabilities sum to 1. All others are what was not
    recorded, so that they are as many and as likely wherever a token is shown.

    Columns: `token_id` (-1 of such a row), `label` (visible text, unique), `prob`, `kind` (one of
    `KINDS`), `shown` (per cent), `mark` and `which` (what is written beside its bar, and when one
    points at it), `code` (what becomes of the code with it, "" where `breaking` does not say).
    Empty where no distribution precedes the token.
    """
    code: list[str] = []
    logprobs = trace.candidate_logprobs[position]
    rows: list[tuple[int, str, float, str]] = []
    taken = int(trace.token_ids[position])
    for token_id, logprob, kept, breaks in zip(
        trace.candidate_ids[position, :most].tolist(),
        logprobs[:most].tolist(),
        trace.candidate_kept[position, :most].tolist(),
        list(breaking[:most]) or [None] * most,
        strict=False,
    ):
        if not math.isnan(logprob):
            kind = "taken" if token_id == taken else REMOVED if kept == FILTERED else "candidate"
            rows.append((token_id, _label(trace, token_id), math.exp(logprob), kind))
            code.append("" if breaks is None else BREAKS if breaks else CAN_GO_ON)
    if rows and all(kind != "taken" for *_, kind in rows):
        rows.append((taken, _label(trace, taken), float(trace.prob[position]), "taken"))
        code.append(BREAKS if taken_breaks else "")
    if rows:
        further = _further(trace, position, most)
        if len(further):
            rows.append((-1, count_text(len(further), "further candidate"), sum(further), "tail"))
        tail = max(0.0, 1.0 - sum(prob for *_, prob, _ in rows))
        size = trace.model.vocabulary_size
        left = size - len(further) - sum(kind != "tail" for *_, kind in rows)
        rows.append((-1, f"all {left:,} others" if size else "all others", tail, "tail"))
    table = pd.DataFrame(rows, columns=["token_id", "label", "prob", "kind"])
    table["label"] = _unique(table["label"].tolist())
    table["shown"] = [probability_text(prob) for prob in table["prob"]]
    table["code"] = code + [""] * (len(table) - len(code))
    # A bar of few pixels does not show that it is hollow.
    signs = zip(table["kind"] == REMOVED, table["code"] == BREAKS, strict=True)
    table["mark"] = [
        shown + " ✕" * bool(removed) + f" {WARNING}" * bool(breaks)
        for shown, (removed, breaks) in zip(table["shown"], signs, strict=True)
    ]
    table["which"] = table["kind"].replace(REMOVED, "removed by the filters")
    return table


def _further(trace: Trace, position: int, most: int) -> list[float]:
    """The probabilities of the recorded candidates after the first `most`, without the taken."""
    ids, logprobs = trace.candidate_ids[position, most:], trace.candidate_logprobs[position, most:]
    kept = ~np.isnan(logprobs) & (ids != trace.token_ids[position])
    return [math.exp(logprob) for logprob in logprobs[kept].tolist()]


def candidate_chart(table: pd.DataFrame) -> alt.LayerChart:
    """Horizontal bars of `candidate_table`, on a fixed scale from 0 to 1; a click in the row of
    one picks it (parameter `pick`)."""
    # Sorted by a field: labels listed in the chart are compiled, and Vega trips over an "if".
    base = alt.Chart(table.assign(order=range(len(table)))).encode(
        y=alt.Y(
            "label:N",
            sort=alt.EncodingSortField("order", op="min"),
            title=None,
            axis=alt.Axis(
                labelFont=_CODE_FONT,
                labelLimit=170,
                labelFontSize=12,
                labelOverlap=False,
                labelFlush=False,
                labelBound=False,
                ticks=False,
                domain=False,
            ),
        )
    )
    tooltip = [
        alt.Tooltip("label:N", title="token"),
        alt.Tooltip("shown:N", title="probability"),
        alt.Tooltip("which:N"),
        *([alt.Tooltip("code:N", title="the code")] if table["code"].any() else []),
    ]
    present = [kind for kind in KINDS if kind in set(table["kind"])]
    outlines = alt.Scale(domain=present, range=[KINDS[kind][0] for kind in present])
    insides = alt.Scale(domain=present, range=[KINDS[kind][1] for kind in present])
    # One under the other: a narrow panel would cut them off.
    legend = alt.Legend(title=None, orient="top", columns=1, rowPadding=0)
    bars = base.mark_bar(cornerRadiusEnd=2, strokeWidth=1.2).encode(
        x=alt.X("prob:Q", title="probability (raw)", scale=alt.Scale(domain=[0, _FULL_ROW])).axis(
            format="%", values=[0, 0.25, 0.5, 0.75, 1], grid=True
        ),
        fill=alt.Fill("kind:N", scale=insides, legend=legend),
        stroke=alt.Stroke("kind:N", scale=outlines, legend=legend),
    )
    texts = base.mark_text(align="left", dx=4, fontSize=11).encode(
        x=alt.X("prob:Q"),
        text="mark:N",
        color=alt.condition(alt.datum.code == BREAKS, alt.value(ALARM), alt.value("#808080")),
    )
    # Of the whole row, since the bar of what is unlikely is a hair's breadth.
    pick = alt.selection_point(name="pick", fields=["token_id"], on="click", toggle=False)
    rows = base.mark_bar(opacity=0, cursor="pointer").encode(
        x=alt.datum(0), x2=alt.datum(_FULL_ROW), tooltip=tooltip
    )
    chart: alt.LayerChart = bars + texts + rows.add_params(pick)
    return chart.properties(height=alt.Step(_ROW_HEIGHT))


def position_table(
    trace: Trace, metric: str, unit: LogUnit = "bits", *, influence: Influence | None = None
) -> pd.DataFrame:
    """One row a position that has a value: `position`, `value` (as tinted), `shown`, `token`,
    `source`."""
    stored = influence.column_of(trace, metric) if influence else trace.column(metric)
    values = tint_values(metric, stored, unit)
    screen = to_screen(metric, stored, unit)
    known = np.flatnonzero(np.isfinite(values))
    table = trace.vocabulary.token_bytes
    return pd.DataFrame(
        {
            "position": known,
            "value": values[known],
            "shown": [metric_text(metric, v, unit) for v in screen[known].tolist()],
            "token": [on_one_line(table[i]) for i in trace.token_ids[known].tolist()],
            "source": np.where(trace.source[known] == "prompt", "prompt", "generated"),
        }
    )


def position_chart(
    table: pd.DataFrame, scale: Scale, *, selected: int | None, height: int = 230
) -> alt.LayerChart:
    """A metric over position; clicking near a point selects its token (parameter `pick`).

    `table` is a `position_table` with at least one row.
    """
    pick = alt.selection_point(name="pick", fields=["position"], on="click", nearest=True)
    title = f"{scale.label} ({scale.unit})" if scale.unit else scale.label
    last = int(table["position"].max())
    table = table.assign(place=scale.places(table["value"].to_numpy(dtype=float)))
    base = alt.Chart(table).encode(
        x=alt.X(
            "position:Q", title="position", scale=alt.Scale(domain=[0, max(last, 1)], nice=False)
        ).axis(tickMinStep=1, format=",d", grid=False)
    )
    y = place_axis(scale, table["place"], title)
    points = (
        base.mark_circle(size=28, opacity=0.9)
        .encode(
            y=y,
            color=alt.Color(
                "source:N",
                scale=alt.Scale(domain=["prompt", "generated"], range=[TAIL, OTHER]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("position:Q", format=",d"),
                alt.Tooltip("token:N"),
                alt.Tooltip("shown:N", title=scale.label),
                alt.Tooltip("source:N"),
            ],
        )
        .add_params(pick)
    )
    line = base.mark_line(strokeWidth=1, opacity=0.45, color=TAIL).encode(y="place:Q")
    mark = (
        alt.Chart(pd.DataFrame({"position": [] if selected is None else [selected]}))
        .mark_rule(color=TAKEN, strokeWidth=2)
        .encode(x="position:Q")
    )
    chart: alt.LayerChart = mark + line + points
    return chart.properties(height=height)


def place_axis(scale: Scale, places: pd.Series, title: str) -> alt.Y:
    """The axis of a column `place`, `Scale.places` of values: bent as the tint is, and labelled
    with the values."""
    ticks = scale.places(np.array([value for value, _ in scale.ticks])).tolist()
    labels = dict(zip(ticks, (label for _, label in scale.ticks), strict=True))
    lookup = " : ".join(f"datum.value == {v} ? '{t}'" for v, t in labels.items()) + " : ''"
    domain = [min(*ticks, float(places.min())), max(*ticks, float(places.max()))]
    return alt.Y(
        "place:Q", title=title, scale=alt.Scale(domain=domain),
        # Streamlit's theme asks for few ticks: Vega would drop every other one of those given.
        axis=alt.Axis(
            values=ticks, labelExpr=lookup, tickCount=len(ticks), labelOverlap=False, grid=True
        ),
    )  # fmt: skip


def verdict_ribbon(runs: pd.DataFrame) -> alt.Chart:
    """A band along the foot of a `position_chart`: `verdict_runs` of the code, each from the
    position before it to its last."""
    present = [verdict for verdict in _RIBBON_COLOURS if verdict in set(runs["verdict"])]
    verdicts = alt.Scale(domain=present, range=[_RIBBON_COLOURS[verdict] for verdict in present])
    chart: alt.Chart = (
        alt.Chart(runs.assign(low=(runs["first"] - 1).clip(0), high=runs["after"] - 1))
        .mark_rect()
        .encode(
            x=alt.X("low:Q"),
            x2="high:Q",
            y=alt.value(alt.ExprRef("height + 1")),
            y2=alt.value(alt.ExprRef(f"height + {_RIBBON}")),
            fill=alt.Fill(
                "verdict:N", scale=verdicts,
                # Beside the other legend, or in one row, a narrow panel would cut it off.
                legend=alt.Legend(
                    title="the code so far", orient="bottom", titleOrient="left", columns=1
                ),
            ),
            tooltip=[
                alt.Tooltip("first:Q", title="from position", format=",d"),
                alt.Tooltip("verdict:N", title="the code up to there"),
            ],
        )
    )  # fmt: skip
    return chart


def scale_for(
    trace: Trace,
    metric: str,
    *,
    relative: bool,
    unit: LogUnit,
    influence: Influence | None = None,
) -> Scale:
    """The scale the strip and the chart share."""
    stored = influence.column_of(trace, metric) if influence else trace.column(metric)
    return trace_scale(trace, metric, stored, relative=relative, unit=unit)


def _label(trace: Trace, token_id: int) -> str:
    text = on_one_line(trace.vocabulary.token_bytes[token_id]) or NOT_AVAILABLE
    return text if len(text) <= _LABEL_LENGTH else text[: _LABEL_LENGTH - 1] + "…"


def _unique(labels: list[str]) -> list[str]:
    """Two tokens may look alike; an axis would merge them."""
    seen: dict[str, int] = {}
    out = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return out
