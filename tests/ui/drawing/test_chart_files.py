"""Charts as files: whole, in every format, and drawn from what the page draws."""

from __future__ import annotations

import json
from collections.abc import Iterator

import altair as alt
import numpy as np
import pandas as pd
import pytest

from tokenscope_ui.drawing import chart_files
from tokenscope_ui.drawing.files import stem


@pytest.fixture
def chart() -> alt.LayerChart:
    """More points than Altair takes by itself, some of them without a value."""
    table = pd.DataFrame({"position": range(6_000), "value": np.linspace(0, 1, 6_000)})
    table.loc[3, "value"] = np.nan
    mark = alt.Chart(pd.DataFrame({"position": [2]})).mark_rule().encode(x="position:Q")
    points = alt.Chart(table).mark_point().encode(x="position:Q", y="value:Q")
    return alt.LayerChart(layer=[mark, points]).properties(height=90)


@pytest.fixture
def drawn_elsewhere() -> Iterator[None]:
    """Streamlit is drawing a chart of another visitor: it has put its own way to take data."""
    alt.data_transformers.register("elsewhere", lambda data: {"name": "elsewhere"})
    with alt.data_transformers.enable("elsewhere"):
        yield


@pytest.mark.usefixtures("drawn_elsewhere")
def test_a_file_holds_every_value_whoever_draws_meanwhile(chart: alt.LayerChart) -> None:
    spec = chart_files.specification(chart)
    counts = sorted(len(rows) for rows in spec["datasets"].values())
    assert counts == [1, 6_000]
    values = max(spec["datasets"].values(), key=len)
    assert values[3] == {"position": 3, "value": None}
    assert isinstance(chart.layer[1].data, pd.DataFrame), "the chart on screen is left alone"


def test_every_format_opens(chart: alt.LayerChart) -> None:
    made = {file.name: file.make() for file in chart_files.of_chart(lambda: chart, "it")}
    assert made["it.png"].startswith(b"\x89PNG")
    assert b"<svg" in made["it.svg"]
    assert json.loads(made["it.vl.json"])["width"] == chart_files.WIDE


def test_a_name_has_characters_that_every_system_takes() -> None:
    assert stem("org/Model é", "a: b?", "") == "org-Model_a-b_x"
