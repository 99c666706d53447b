"""The attention of a trace: which head, which view of it, and what it takes to have it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from tokenscope_core import TokenScopeError, Trace
from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_ui.attention import (
    compare_view,
    controls,
    matrix_view,
    state,
    token_view,
    words,
)
from tokenscope_ui.attention.capturing import need
from tokenscope_ui.attention.flow import view as flow_view
from tokenscope_ui.attention.heads import view as heads_view
from tokenscope_ui.attention.matrix_in_view import ROLLED, as_map, shown
from tokenscope_ui.attention.model import AvailableModel, reader_of
from tokenscope_ui.attention.one_token import received, together
from tokenscope_ui.attention.required_captures import flow_of_all, layer_of, overview_of, rollout_of
from tokenscope_ui.attention.view_choice import ROLLOUT, AttentionLook, Head, Layer
from tokenscope_ui.branches import bar as branch_bar
from tokenscope_ui.runs import sessions
from tokenscope_ui.trace import view_controls


def show_attention(trace: Trace) -> None:
    """Draw everything about a trace."""
    if len(trace.seams):
        branch_bar.show_branch_bar()
        st.info(
            f"This text was read in {len(trace.seams) + 1:,} windows, since it is longer than the "
            "model’s context: no one pass over it has attention to show. Score the lines that "
            "matter by themselves on the Decode page, as many as the context holds, or choose a "
            "model with a longer one.",
            icon=":material/view_column:",
        )
        return
    reader = _reader(trace)
    look = _resolved(reader)
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention views"):
        controls.view(look)
        controls.mask(look)
        branch_bar.show_branch_bar()
    match look.view:
        case "token" | "matrix":
            _one_matrix(trace, look, reader)
        case "received":
            layers = _offered(reader, look.layer)
            received.show_received(trace, layers, _head_count(reader, look.head), look)
        case "heads":
            _heads(trace, look)
        case "flow":
            _flow(trace, look, reader)
        case "compare":
            _compare(trace, look, reader)


def _reader(trace: Trace) -> AvailableModel | None:
    """The model, where it is here; where it is not, what was captured before can still be seen."""
    try:
        return reader_of(trace)
    except TokenScopeError:
        return None


def _resolved(reader: AvailableModel | None) -> AttentionLook:
    """The look in force: of a layer that nobody chose the middle one, of one that the model does
    not have the one before."""
    look = state.current()
    layers = reader.layers if reader is not None else ()
    if look.layer is None:
        state.choose(layer=layers[len(layers) // 2] if layers else 0)
    elif layers and isinstance(look.layer, int) and look.layer not in layers:
        state.choose(layer=max((i for i in layers if i < look.layer), default=layers[0]))
    if reader is not None and isinstance(look.head, int) and 0 < reader.heads <= look.head:
        state.choose(head="mean")
    return state.current()


def _offered(reader: AvailableModel | None, *chosen: Layer | None) -> tuple[int, ...]:
    """The layers to choose among: of a model that is not here, those in view."""
    if reader is not None and reader.layers:
        return reader.layers
    return tuple(sorted({layer for layer in chosen if isinstance(layer, int)})) or (0,)


def _head_count(reader: AvailableModel | None, *chosen: Head) -> int:
    """How many heads to choose among: of a model that is not here, as far as those in view."""
    in_view = max((head + 1 for head in chosen if isinstance(head, int)), default=0)
    return max(in_view, reader.heads) if reader is not None else in_view


def _source_tools(look: AttentionLook, reader: AvailableModel | None) -> None:
    """Draw which layer and head."""
    controls.layer("layer", look.layer, _offered(reader, look.layer))
    heads = _head_count(reader, look.head)
    controls.head("head", look.head, heads, disabled=look.layer == ROLLOUT)


def captured(trace: Trace, look: AttentionLook, layer: Layer) -> tuple[AttentionMap, int] | None:
    """The map that holds a layer, and the index it goes by; None where it is still to be had, which
    is drawn."""
    if isinstance(layer, str):
        rollout = need(trace, rollout_of(trace), "Rollout through all layers")
        return (as_map(rollout), ROLLED) if isinstance(rollout, Rollout) else None
    found = need(trace, layer_of(trace, layer, look), f"Layer {layer}")
    return (found, layer) if isinstance(found, AttentionMap) and found.layers else None


def _one_matrix(trace: Trace, look: AttentionLook, reader: AvailableModel | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention source"):
        _source_tools(look, reader)
        if look.view == "matrix":
            matrix_view.draw_crop(trace, look)
        else:
            together.show_choice(look)
            controls.direction(look)
        with view_controls.seldom_changed():
            controls.question(look)
            controls.weighting(look)
            controls.scale(look)
            invisibles = view_controls.invisibles()
    layer = look.layer if look.layer is not None else 0
    found = captured(trace, look, layer)
    in_view = None
    if found is not None:
        in_view = shown(*found, look.head, mask=look.masks)
        st.markdown(words.status(trace, in_view, look, layer))
        _narrowed(look)
    if look.view == "matrix":
        title = words.title(look, layer)
        matrix_view.show_matrix(trace, in_view, look, title, invisibles=invisibles)
        return
    token_view.show_token(trace, in_view, found, look, invisibles=invisibles)


def _narrowed(look: AttentionLook) -> None:
    """Say that not all of the layer was captured, and offer the rest."""
    if not look.alone and look.queries is None:
        return
    kept = ["this head"] if look.alone else []
    if look.queries is not None:
        kept.append(f"the rows {look.queries[0]:,} to {look.queries[1] - 1:,}")
    with st.container(horizontal=True, vertical_alignment="center", key="attention narrowed"):
        st.caption(f":material/crop: Only {' and '.join(kept)} were captured.", width="content")
        st.button(
            "Ask for all of the layer", key="attention all", type="tertiary",
            on_click=state.choose, kwargs={"alone": False, "queries": None},
        )  # fmt: skip


def _compare(trace: Trace, look: AttentionLook, reader: AvailableModel | None) -> None:
    a_layer = look.layer if look.layer is not None else 0
    b_look = _look_b(look, a_layer, _offered(reader, a_layer))
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention source"):
        _pair_tools(trace, look, b_look, reader)
    other = compare_view.branch_b(trace, look)
    if other is None:
        st.info(
            "The text of B’s branch is no longer in the store. Compute it again on the page "
            "Branches, or choose another branch.", icon=":material/info:",
        )  # fmt: skip
        return
    b_layer = b_look.layer if b_look.layer is not None else 0
    if other.key == trace.key and (a_layer, look.head) == (b_layer, b_look.head):
        st.info(
            "A and B are the same, so every difference is 0. Choose another layer, head or branch "
            "for B.", icon=":material/info:",
        )  # fmt: skip
        return
    found_a = captured(trace, look, a_layer)
    found_b = None if found_a is None else captured(other, b_look, b_layer)
    if found_a is None or found_b is None:
        return
    a = shown(*found_a, look.head, mask=look.masks)
    b = shown(*found_b, b_look.head, mask=look.masks)
    st.markdown(
        f"**A** · {words.status(trace, a, look, a_layer)}  \n"
        f"**B** · {words.status(other, b, b_look, b_layer)}"
    )
    names = [words.matrix_name(a_layer, look.head), words.matrix_name(b_layer, b_look.head)]
    compare_view.show_difference(trace, other, a, b, look, f"{names[1]} − {names[0]}")


def _look_b(look: AttentionLook, a_layer: Layer, layers: tuple[int, ...]) -> AttentionLook:
    """The look of B: until somebody chose, the same head of a neighbouring layer."""
    layer = a_layer if look.layer_b is None else look.layer_b
    if look.layer_b is None and not look.branch_b and look.head_b is None:
        before = [i for i in layers if isinstance(a_layer, str) or i < a_layer]
        layer = before[-1] if before else layers[min(1, len(layers) - 1)]
    return replace(look, layer=layer, head=look.head if look.head_b is None else look.head_b)


def _pair_tools(
    trace: Trace, look: AttentionLook, b_look: AttentionLook, reader: AvailableModel | None
) -> None:
    layers = _offered(reader, look.layer, b_look.layer)
    heads = _head_count(reader, look.head, b_look.head)
    controls.layer("layer", look.layer, layers, label="A: layer")
    controls.head("head", look.head, heads, label="A: head", disabled=look.layer == ROLLOUT)
    controls.layer("layer_b", b_look.layer, layers, label="B: layer")
    controls.head(
        "head_b", b_look.head, heads, label="B: head", disabled=b_look.layer == ROLLOUT
    )  # fmt: skip
    compare_view.branch_tool(sessions.current(), trace, look)


def _heads(trace: Trace, look: AttentionLook) -> None:
    overview = need(trace, overview_of(trace), "Overview of all heads")
    if isinstance(overview, HeadOverview) and look.masks:
        plain = overview
        masked = plain.sinks.positions
        overview = need(trace, overview_of(trace, masked), "Overview without the sink")
        if isinstance(overview, HeadOverview):
            st.markdown(words.overview_status(trace, plain, mask=True))
    elif isinstance(overview, HeadOverview):
        st.markdown(words.overview_status(trace, overview, mask=False))
    heads_view.show_heads(overview if isinstance(overview, HeadOverview) else None, look)


def _flow(trace: Trace, look: AttentionLook, reader: AvailableModel | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention flow tools"):
        flow_view.tools(look)
    if look.whole:
        _flow_of_all(trace, look)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="attention source"):
        _source_tools(look, reader)
        controls.weighting(look)
    layer = look.layer if look.layer is not None else 0
    found = captured(trace, look, layer)
    if found is None:
        return
    if look.head == "max":
        look = replace(look, head="mean")
        st.caption("The flow is a mean over heads; a maximum would not sum to 100 %.")
    st.markdown(words.status(trace, shown(*found, look.head, mask=look.masks), look, layer))
    flow = flow_view.flow_of(found[0], trace, look.parts, found[1], look.head, mask=look.masks)
    flow_view.show_flow(trace, flow, look)


def _flow_of_all(trace: Trace, look: AttentionLook) -> None:
    masked: tuple[int, ...] = ()
    if look.masks:
        overview = need(trace, overview_of(trace), "Overview of all heads, to find the sinks")
        if not isinstance(overview, HeadOverview):
            return
        masked = overview.sinks.positions
        st.markdown(words.overview_status(trace, overview, mask=True))
    flow = need(trace, flow_of_all(trace, look.parts, masked), "Flow of all layers and heads")
    if flow is not None:
        flow_view.show_flow(trace, flow, look)
