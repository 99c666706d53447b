"""The token x token map over made-up attention, steered by query parameters; needs no model.

tokens: how many; kind: weights, difference or holes; scale: log or linear; high: number or map;
mask: 1 takes out key 0; guides: 1 draws lines of code; crop: queries and keys as "a,b,c,d"; height.
"""

import functools
import re

import numpy as np
import numpy.typing as npt
import streamlit as st

from tokenscope_ui.components import matrix

Weights = npt.NDArray[np.float32]

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "a\u202eb",
    "\x00",
    "\ud800",
    "שלום",
    "",
    "w" * 99,
]
SAMPLE = '''\
def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    if low == high:
        return ordered[low]
    return ordered[low] * (high - place) + ordered[high] * (place - low)


'''


@functools.cache
def attention(count: int, seed: int = 0) -> Weights:
    """Causal rows that sum to 1: a sink, the previous token, a recent past, and noise."""
    rng = np.random.default_rng(seed)
    query, key = np.mgrid[:count, :count]
    raw = np.exp(1.5 * rng.standard_normal((count, count))) / count
    raw += 0.3 * np.exp((key - query) / 20.0) * rng.random((count, count)) / 4
    raw[:, 0] += 3.0
    raw[np.arange(1, count), np.arange(count - 1)] += 1 + 2 * rng.random(count - 1)
    if count > 60:
        raw[30:, 24] += rng.random(count - 30)
    raw[key > query] = 0
    return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)


def weights_of(kind: str, count: int, masked: bool) -> Weights:
    weights = attention(count)
    if masked:
        weights = weights.copy()
        weights[:, 0] = 0
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    if kind == "difference":
        return attention(count, seed=1) - weights
    if kind == "holes":
        weights = weights.copy()
        weights[3, 1] = np.nan
        weights[count // 2 : count // 2 + max(1, count // 60)] = np.nan
    return weights


def texts(count: int, hostile: bool = False) -> list[str]:
    tokens = HOSTILE if hostile else re.findall(r"\n\s*| ?\w+| ?[^\w\s]+|\s+", SAMPLE)
    return [tokens[index % len(tokens)] for index in range(count)]


@st.cache_data
def payload(kind: str, count: int, masked: bool, hostile: bool) -> bytes:
    return matrix.encode(
        weights_of(kind, count, masked),
        labels=texts(count, hostile),
        title="layer 3, head 5" if kind != "difference" else "layer 3, head 6 minus head 5",
        value="difference" if kind == "difference" else "weight",
        difference=kind == "difference",
        masked=(0,) if masked else (),
    )


def lines_of(tokens: list[str]) -> list[tuple[int, str]]:
    guides, line = [(0, "line 1")], 1
    for index, token in enumerate(tokens[:-1]):
        if "\n" in token:
            line += token.count("\n")
            guides.append((index + 1, f"line {line}"))
    return guides


def option(name: str, default: str) -> str:
    return str(st.query_params.get(name, default))


def take_pick() -> None:
    st.session_state.selected = matrix.picked("map")
    st.session_state.picks = st.session_state.get("picks", 0) + 1


def take_wanted() -> None:
    st.session_state.selected = (st.session_state.wanted, None)


def main() -> None:
    st.set_page_config(layout="wide")
    st.session_state.runs = st.session_state.get("runs", 0) + 1
    st.session_state.setdefault("selected", (None, None))
    count = int(option("tokens", "100"))
    shape = st.sidebar.radio(
        "Scale", ["log", "linear"], 1 if option("scale", "") == "linear" else 0
    )
    kind = st.sidebar.radio(
        "Kind", kinds := ["weights", "difference", "holes"], kinds.index(option("kind", kinds[0]))
    )
    st.sidebar.number_input(
        "Select query", min_value=0, value=None, key="wanted", on_change=take_wanted
    )
    high = option("high", "1")
    crop = [int(number) for number in option("crop", "").split(",") if number]
    hostile = option("text", "") == "hostile"
    matrix.mount(
        payload(kind, count, option("mask", "0") == "1", hostile),
        key="map",
        on_select=take_pick,
        selected=st.session_state.selected or (None, None),
        crop=matrix.Crop((crop[0], crop[1]), (crop[2], crop[3])) if crop else None,
        guides=lines_of(texts(count)) if option("guides", "1") == "1" else (),
        scale=matrix.ColourScale(
            "log" if shape == "log" else "linear", high=None if high == "map" else float(high)
        ),
        height=int(option("height", "0")) or None,
    )
    picks = st.session_state.get("picks", 0)
    chosen = st.session_state.selected
    st.markdown(f"chosen `{chosen}` runs `{st.session_state.runs}` picks `{picks}`")


if __name__ == "__main__":
    main()
