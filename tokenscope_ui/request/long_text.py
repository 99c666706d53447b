"""A text to score that is longer than the model's context: what will be done, before it is."""

from __future__ import annotations

import math

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_core.display.formatting import count_text
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import ModelFiles, find
from tokenscope_core.prompts.extent import Extent, extent_of, surely_fits
from tokenscope_core.prompts.windows import DEFAULT_OVERLAP, windows_of
from tokenscope_ui.request import model_picker, open_files
from tokenscope_ui.server.server import service

DEFAULTS: dict[str, object] = {"overlap": DEFAULT_OVERLAP}
# Another model's tokenizer may make more tokens of the same text.
_ROOM_FOR_ANOTHER_TOKENIZER = 1.25
_MOST_NAMED = 3


def overlap_for(text: str, files: ModelFiles | None) -> int | None:
    """By how much windows are to overlap; None of a text that needs none."""
    if files is not None and surely_fits(text, facts_of(files).context):
        return None
    return int(st.session_state["overlap"])


def needs_windows(text: str, files: ModelFiles | None) -> bool:
    """Whether a model cannot read a text in one piece, as far as its files say.

    Raises:
        TokenScopeError: its tokenizer cannot be used, or makes no token of the text.
    """
    context = None if files is None else facts_of(files).context
    if files is None or context is None or surely_fits(text, context):
        return False
    return extent_of(files, text, context).tokens > context


def draw_offer(text: str, line_count: int, files: ModelFiles | None) -> None:
    """Say of a text that does not fit in how many windows it is read, about how long that takes,
    and what else could be done; nothing of one that fits."""
    context = None if files is None else facts_of(files).context
    if files is None or context is None or surely_fits(text, context):
        return
    try:
        with st.spinner("Counting tokens …", show_time=False):
            extent = extent_of(files, text, context)
    except TokenScopeError as error:
        st.text(str(error))
        return
    if extent.tokens <= context:
        st.caption(f"{count_text(extent.tokens, 'token')} of a context of {context:,}.")
        return
    most = context - extent.lead - 1
    st.session_state["overlap"] = min(int(st.session_state["overlap"]), most)
    with st.container(border=True, key="long text"):
        st.markdown(
            f":material/view_column: **{count_text(extent.tokens, 'token')}, and this model’s "
            f"context holds {context:,}.** {_plan(extent)}"
        )
        st.number_input(
            "Overlap of the windows, in tokens", 0, most, key="overlap",
            width=240, persist_state="session",
            help="How many tokens each window reads before those that it scores. More of it: "
            "figures closer to those of the whole text, and a longer run.",
        )  # fmt: skip
        _other_ways(extent, line_count)


def _plan(extent: Extent) -> str:
    overlap = int(st.session_state["overlap"])
    windows = windows_of(extent.tokens, extent.context, overlap, lead=extent.lead)
    again = (len(windows) - 1) * (overlap + extent.lead)
    speed = service().reading_speed(model_picker.chosen())
    took = (
        "How long that takes is known once this model has scored a text here."
        if speed is None
        else f"At the speed of the last text it scored: {_duration(extent.tokens / speed)}."
    )
    return (
        f"It is read in {count_text(len(windows), 'window')}: each token is scored once, with at "
        f"least {overlap:,} before it but at the beginning; {again:,} are read twice. {took}"
    )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return "about " + count_text(max(1, math.ceil(seconds)), "second")
    return "about " + count_text(math.ceil(seconds / 60), "minute")


def _other_ways(extent: Extent, line_count: int) -> None:
    with st.container(horizontal=True):
        if extent.tail_line is not None and extent.tail_line > 1:
            low, high = open_files.chosen_lines(line_count)
            first = low + extent.tail_line - 1
            st.button(
                f"Only the last {count_text(high - first + 1, 'line')}, which fit",
                key="only the tail", on_click=open_files.choose_lines, args=(first, high),
            )  # fmt: skip
        for name, label, context in _longer(math.ceil(extent.tokens * _ROOM_FOR_ANOTHER_TOKENIZER)):
            st.button(
                f"Use {label}, which reads {context:,} at once", key=f"longer {name}",
                on_click=_use, args=(name,),
            )  # fmt: skip


def _longer(tokens: int) -> list[tuple[str, str, int]]:
    """Models on this machine whose context would hold so many tokens, the shortest first: the name,
    what it is called and the context."""
    found = []
    for source in model_picker.on_this_server():
        if source.problem is not None or source.kind == "hub":
            continue
        try:
            files = find(source.name)
        except TokenScopeError:
            continue
        context = None if files is None else facts_of(files).context
        if context is not None and context >= tokens:
            found.append((source.name, source.label, context))
    return sorted(found, key=lambda model: model[2])[:_MOST_NAMED]


def _use(name: str) -> None:
    st.session_state["model"] = name
