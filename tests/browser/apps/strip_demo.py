"""The token strip over synthetic tokens, steered by query parameters; needs no model.

tokens: how many; text: code or hostile; invisibles, two, slow, stream, edges: 1 to switch on;
height: px.
"""

import itertools
import math
import re
import time
from collections.abc import Sequence
from typing import Literal

import streamlit as st

from tokenscope_ui.components import strip
from tokenscope_ui.components.strip import Scale, TokenFlag


def make_scale(
    label: str,
    unit: str,
    low: float,
    high: float,
    *,
    kind: Literal["sequential", "diverging"] = "sequential",
    reverse: bool = False,
) -> Scale:
    ticks = [low + (high - low) * step / 4 for step in range(5)]
    return {
        "label": label,
        "unit": unit,
        "low": low,
        "high": high,
        "ticks": [(tick, f"{tick:g}") for tick in ticks],
        "kind": kind,
        "reverse": reverse,
        "root": 1,
        "note": "absolute",
    }


METRICS: dict[str, Scale] = {
    scale["label"]: scale
    for scale in (
        make_scale("surprisal", "bits", 0, 12),
        make_scale("probability", "", 0, 1, reverse=True),
        make_scale("typicality", "bits", -6, 6, kind="diverging"),
    )
}
HOSTILE_LINES = [
    ["# hostile\n", "</script><img src=x onerror=alert(1)>", "\n"],
    ["a\u202eb\u2066c", " ", "\x00", "\x1b[31m", "\n"],
    ["שלום", " ", "עולם", " ", "مرحبا", "\n"],
    ["caf", "e\u0301", "\u0301", "\u200b", "x\u00a0y", "\u3000", "\n"],
    ["F0 9F", "98 80", " ", "😀", "👩\u200d💻", "\n\n"],
    ["\t", "if", "\t\t", "x", "\r", "\n", "lone\rreturn", "\r\n"],
    ["", "<|endoftext|>", "\ud800", "𝒳", "漢字", "\u2028", "end", "\ufeff", "w" * 400, "\n"],
]
HOSTILE = list(itertools.chain.from_iterable(HOSTILE_LINES))
PROMPT_TOKENS = 40
CHANGED_TOKEN = 70
BROKEN_TOKEN = 90
SAMPLE = '''\
import math


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    if not values:
        raise ValueError("quantile of nothing")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    if low == high:
        return ordered[low]
    weight = place - low
    return ordered[low] * (1 - weight) + ordered[high] * weight


class Histogram:
    def __init__(self, edges):
        self.edges = list(edges)
        self.counts = [0] * (len(self.edges) - 1)

    def add(self, value):
        for index, edge in enumerate(self.edges[1:]):
            if value < edge:
                self.counts[index] += 1
                return True
        return False


'''


def code_tokens(count: int) -> list[str]:
    tokens = re.findall(r"\n\s*| ?\w+| ?[^\w\s]+|\s+", SAMPLE)
    return [tokens[index % len(tokens)] for index in range(count)]


def flags_of(tokens: Sequence[str]) -> list[int]:
    flags = []
    for index, token in enumerate(tokens):
        flag = TokenFlag.PROMPT if index < PROMPT_TOKENS else TokenFlag(0)
        if index == 60:
            flag |= TokenFlag.FORCED
        if index == CHANGED_TOKEN:
            flag |= TokenFlag.NOT_FAVOURITE
        if index == BROKEN_TOKEN:
            flag |= TokenFlag.BROKE
        if token == "<|endoftext|>":
            flag |= TokenFlag.SPECIAL
        if re.fullmatch(r"([0-9A-F]{2} ?)+", token) and " " in token:
            flag |= TokenFlag.INCOMPLETE
        if token.isspace():
            flag |= TokenFlag.WHITESPACE
        flags.append(int(flag))
    return flags


def surprisals(count: int) -> list[float | None]:
    spread = [abs(math.sin(index * 12.9898) * 43758.5453) % 1 for index in range(count)]
    values: list[float | None] = [round(14 * share**4, 3) for share in spread]
    if values:
        values[0] = None
    return values


@st.cache_data
def payload(
    kind: str, count: int, metric: str, invisibles: bool, running: bool, name: str = "demo"
) -> bytes:
    tokens = HOSTILE[:count] if kind == "hostile" else code_tokens(count)
    bits = surprisals(len(tokens))
    probability = [None if bit is None else 2**-bit for bit in bits]
    values: dict[str, list[float | None]] = {
        "surprisal": bits,
        "probability": probability,
        "typicality": [None if bit is None else bit - 3 for bit in bits],
    }
    return strip.encode(
        {
            "key": name,
            "text": tokens,
            "flags": flags_of(tokens),
            "values": values[metric],
            "reasons": {0: "nothing precedes the first token"},
            "scale": METRICS[metric],
            "hover": [
                {
                    "label": "probability",
                    "values": [None if p is None else f"{100 * p:.2f} %" for p in probability],
                },
                {
                    "label": "surprisal",
                    "values": [None if bit is None else f"{bit:.2f} bits" for bit in bits],
                },
            ],
            "invisibles": invisibles,
            "first_position": 0,
            "running": running,
        }
    )


def option(name: str, default: str) -> str:
    return str(st.query_params.get(name, default))


def take_pick() -> None:
    st.session_state.selected = strip.picked("strip")
    st.session_state.picks = st.session_state.get("picks", 0) + 1


def take_wanted() -> None:
    st.session_state.selected = st.session_state.wanted


def edges_of(selected: int | None) -> tuple[int, ...]:
    return () if selected is None else (selected - 2, selected + 3)


@st.fragment(run_every=0.15)
def streaming() -> None:
    st.session_state.grown = min(st.session_state.get("grown", 0) + 10, 280)
    running = st.session_state.grown < 280
    shown = payload("code", st.session_state.grown, "surprisal", False, running)
    chosen = strip.mount(shown, key="strip", height=260)
    st.markdown(f"grown `{st.session_state.grown}` chosen `{chosen}`")


def main() -> None:
    st.set_page_config(layout="wide")
    st.session_state.runs = st.session_state.get("runs", 0) + 1
    if option("stream", "0") == "1":
        streaming()
        return
    count = int(option("tokens", "240"))
    height = int(option("height", "420")) or None
    metric = st.sidebar.selectbox("Metric", list(METRICS))
    invisibles = st.sidebar.toggle("Invisibles", option("invisibles", "0") == "1")
    st.session_state.setdefault("selected", None)
    st.sidebar.number_input(
        "Select token", min_value=0, value=None, key="wanted", on_change=take_wanted
    )
    time.sleep(float(option("slow", "0")))
    shown = payload(option("text", "code"), count, metric, invisibles, False)
    chosen = strip.mount(
        shown,
        key="strip",
        selected=st.session_state.selected,
        on_select=take_pick,
        height=height,
        edges=edges_of(st.session_state.selected) if option("edges", "0") == "1" else (),
    )
    picks = st.session_state.get("picks", 0)
    st.markdown(f"chosen `{chosen}` runs `{st.session_state.runs}` picks `{picks}`")
    if option("two", "0") == "1":
        other = strip.mount(
            payload("code", 60, metric, invisibles, False, "other"), key="other", height=height
        )
        st.markdown(f"other `{other}`")


if __name__ == "__main__":
    main()
