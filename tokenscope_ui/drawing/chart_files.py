"""Charts on a page, each with a way to take it along: as PNG, SVG or Vega-Lite JSON."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import altair as alt
import streamlit as st

from tokenscope_ui.drawing import files
from tokenscope_ui.drawing.files import File

Chart: TypeAlias = alt.Chart | alt.LayerChart

PICTURES_MISSING = (
    "PNG and SVG need a renderer that is not installed: "
    '`pip install "tokenscope-code[pictures]"`, then start the app again.'
)
# Of a chart that fills its column on screen.
WIDE, NARROW = 900, 480


def draw_chart(
    chart: Chart,
    *,
    key: str,
    name: str,
    file_width: int | None = WIDE,
    on_white: Callable[[], Chart] | None = None,
    **options: Any,
) -> None:
    """Draw a chart, and below it what saves it.

    Args:
        chart: as on screen, its selection included.
        key: names it within the page.
        name: the beginning of its files' names, from `files.stem`.
        file_width: in pixels; None where the chart has its own.
        on_white: makes the chart that is saved, where the one on screen follows a dark theme:
            files are for paper, whatever theme they were made in.
        options: of `st.altair_chart`.
    """
    # Streamlit would leave 20 pixels below it.
    shown = chart.properties(padding={"bottom": 0})
    # Tests check charts against the schema; at each drawing that would be a sixth of a page's time.
    object.__setattr__(shown, "to_dict", functools.partial(shown.to_dict, validate=False))
    st.altair_chart(shown, key=key, **options)
    with st.popover("Save this chart", icon=":material/download:", type="tertiary"):
        offer(of_chart(on_white or (lambda: chart), name, file_width), f"chart {key}")


def offer(made: tuple[File, ...], key: str) -> None:
    """The buttons of `of_chart`; where pictures are missing, how to have them."""
    if made and not draws_pictures():
        st.caption(f":material/info: {PICTURES_MISSING}")
    files.buttons(made, key)


def draws_pictures() -> bool:
    """Whether the renderer of charts is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def of_chart(make: Callable[[], Chart], name: str, width: int | None = WIDE) -> tuple[File, ...]:
    """A chart, which is made when it is asked for, as files: what draws it, and two pictures where
    there is a renderer."""

    def spec() -> dict[str, Any]:
        return specification(make(), width)

    pictures = (
        File("PNG", "A picture in twice the resolution of a screen.",
             f"{name}.png", "image/png", lambda: _picture("png", spec())),
        File("SVG", "A drawing that scales.",
             f"{name}.svg", "image/svg+xml", lambda: _picture("svg", spec())),
    )  # fmt: skip
    source = File(
        "Vega-Lite JSON", "The chart with its data, for Vega’s editor or Altair.",
        f"{name}.vl.json", "application/json", lambda: files.as_json(spec()),
    )  # fmt: skip
    return (*pictures, source) if draws_pictures() else (source,)


def specification(chart: Chart, width: int | None = WIDE) -> dict[str, Any]:
    """The chart with all its data, whatever their number.

    Altair would take the data through a setting that all threads share, and that Streamlit changes
    whenever it draws a chart.
    """
    whole = chart.copy(deep=True)
    _write_out(whole)
    if width is not None:
        whole = whole.properties(width=width)
    return dict(whole.to_dict())


def _write_out(chart: Any) -> None:
    """Put values in the place of tables, in a chart and its layers."""
    if chart.data is not alt.Undefined:
        chart.data = alt.to_values(chart.data)
    for layer in getattr(chart, "layer", ()):
        _write_out(layer)


def _picture(kind: Literal["png", "svg"], spec: dict[str, Any]) -> bytes:
    # Some 40 MB of a renderer: only for whoever asks for a picture.
    import vl_convert

    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode("utf-8")
    return bytes(vl_convert.vegalite_to_png(spec, scale=2))
