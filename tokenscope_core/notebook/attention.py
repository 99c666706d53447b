"""Captured attention as a notebook shows it: matrices drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.attention.heads.sinks import sinks_in
from tokenscope_core.display.ramp import TOP_LEVEL
from tokenscope_core.notebook.fragments import fact, output, row

MOST_MAPS = 12
# Cells a side: a single matrix may be larger than each of several.
_MOST_CELLS_ALONE, _MOST_CELLS = 96, 48
_SIDE_ALONE, _SIDE = 400, 190


def attention_html(captured: AttentionMap) -> str:
    """The matrices of an attention map, query by key, and where its sinks are."""
    named = list(_matrices(captured))
    shown = named[:MOST_MAPS]
    alone = len(named) == 1
    cells, side = (_MOST_CELLS_ALONE, _SIDE_ALONE) if alone else (_MOST_CELLS, _SIDE)
    drawn = [_figure(name, matrix, captured, cells, side) for name, matrix in shown]
    queries, keys = captured.weights.shape[2:]
    pooled = max(queries, keys) > cells
    return output(
        "Attention",
        row(
            "head",
            "<b>Attention</b>",
            f"{queries:,} queries by {keys:,} keys",
            f"of {captured.weighting}",
            "tint: square root of the weight, 0 to the largest of each matrix",
        ),
        f'<div class="maps">{"".join(drawn)}</div>',
        row(
            "foot",
            f"{len(named) - len(shown):,} of {len(named):,} matrices are left out; "
            "<code>attention.of(layer, head)</code> gives each." if len(named) > len(shown) else "",
            f"Drawn are at most {cells} by {cells} cells, each the largest weight in its part of "
            "the matrix; <code>attention.weights</code> has all." if pooled else "",
            _sinks(captured),
        ),
        drawn=True,
    )  # fmt: skip


def _matrices(captured: AttentionMap) -> Iterator[tuple[str, Weights]]:
    for place, layer in enumerate(captured.layers):
        if captured.fold is not None:
            yield f"layer {layer}, {captured.fold} of heads", captured.weights[place, 0]
            continue
        for of_layer, head in enumerate(captured.heads):
            yield f"layer {layer}, head {head}", captured.weights[place, of_layer]


def _sinks(captured: AttentionMap) -> str:
    if captured.masked:
        return fact("masked positions", ", ".join(map(str, captured.masked)))
    if captured.fold is not None:
        return ""
    sinks = sinks_in(captured)
    found = [
        f"position {position} ({mass:.0%} of later rows’ attention)"
        for position, mass, share in zip(
            sinks.positions, sinks.mass, sinks.share_of_heads, strict=True
        )
        if share > 0
    ]
    return fact("sinks", "; ".join(found)) if found else "no sink"


def _figure(name: str, matrix: Weights, captured: AttentionMap, most: int, side: int) -> str:
    """One matrix; queries go down, keys to the right."""
    largest = float(np.nanmax(matrix)) if np.isfinite(matrix).any() else 0.0
    pooled = _pooled(matrix, most)
    rows, columns = pooled.shape
    cell = max(side / max(rows, columns), 1.0)
    width, height = cell * columns, cell * rows
    with np.errstate(invalid="ignore"):
        levels = np.rint(np.sqrt(np.clip(pooled, 0, None) / (largest or 1.0)) * TOP_LEVEL)
    first, last = int(captured.queries[0]), int(captured.queries[-1])
    return (
        f"<figure><figcaption>{name}, up to {largest:.1%}</figcaption>"
        f'<svg width="{width + 34:.0f}" height="{height + 18:.0f}" '
        f'viewBox="-34 0 {width + 34:.0f} {height + 18:.0f}" role="img" '
        f'aria-label="{name}: queries {first} to {last} down, keys to the right">'
        f'<g transform="scale({cell:.4f})" shape-rendering="crispEdges">{_cells(levels)}</g>'
        f'<rect class="frame" width="{width:.1f}" height="{height:.1f}"/>'
        f'<text x="-4" y="10" text-anchor="end">{first}</text>'
        f'<text x="-4" y="{height:.1f}" text-anchor="end">{last if last != first else ""}</text>'
        f'<text y="{height + 13:.1f}">0</text>'
        f'<text x="{width / 2:.1f}" y="{height + 13:.1f}" text-anchor="middle">key</text>'
        f'<text x="{width:.1f}" y="{height + 13:.1f}" text-anchor="end">'
        f"{matrix.shape[1] - 1}</text>"
        "</svg></figure>"
    )


def _cells(levels: Weights) -> str:
    """The cells as one path a tint; neighbours in a row are one rectangle."""
    paths: dict[int, list[str]] = {}
    for row_number, values in enumerate(
        np.where(np.isnan(levels), -1, levels).astype(int).tolist()
    ):
        start = 0
        for column in range(1, len(values) + 1):
            if column == len(values) or values[column] != values[start]:
                if values[start] != 0:
                    path = paths.setdefault(values[start], [])
                    path.append(f"M{start} {row_number}h{column - start}v1h{start - column}z")
                start = column
    return "".join(
        f'<path class="{"absent" if level < 0 else f"f{level}"}" d="{"".join(path)}"/>'
        for level, path in sorted(paths.items())
    )


def _pooled(matrix: Weights, most: int) -> Weights:
    """At most `most` rows and columns: the largest weight of each part, NaN where all are."""
    for axis in (0, 1):
        if matrix.shape[axis] > most:
            starts = np.linspace(0, matrix.shape[axis], most, endpoint=False).astype(int)
            matrix = np.fmax.reduceat(matrix, starts, axis=axis)
    return matrix
