"""What is shown, in one line: nobody should have to remember which switches are on."""

from __future__ import annotations

import numpy as np

from tokenscope_core import Trace
from tokenscope_core.attention.capturing.windows import Locality
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.display.formatting import count_text
from tokenscope_ui.attention.controls import WEIGHTINGS, head_text, layer_text
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.view_choice import ROLLOUT, AttentionLook, Head, Layer
from tokenscope_ui.attention.weights import share_text
from tokenscope_ui.trace.sampled_choices import token_code


def matrix_name(layer: Layer, head: Head) -> str:
    """What a matrix is called: `layer 3, head 2`."""
    if layer == ROLLOUT:
        return layer_text(layer)
    return f"{layer_text(layer)}, {head_text(head)}"


def title(look: AttentionLook, layer: Layer) -> str:
    """What the matrix in view is called, with all that was done to it. Plain text."""
    name = matrix_name(layer, look.head)
    if layer != ROLLOUT and look.weighting != "weights":
        name += f", {WEIGHTINGS[look.weighting]}"
    return f"{name}, sink masked" if look.masks else name


def reach(locality: Locality) -> str:
    """How far back the rows of a layer see, as a clause."""
    tokens = count_text(locality.length, "token")
    return {
        "window": f"sees the last {tokens} only",
        "blocks": f"sees its own block of {tokens} only",
        "other": f"sees {tokens} at most",
    }[locality.kind]


def status(trace: Trace, shown: Shown, look: AttentionLook, layer: Layer) -> str:
    """What is shown and where the sink is, as Markdown."""
    name = matrix_name(layer, look.head).capitalize()
    what = "attention after all layers" if layer == ROLLOUT else WEIGHTINGS[look.weighting]
    if (locality := shown.locality) is not None:
        what += f" · {reach(locality)}"
    at = ", ".join(f"{token_code(trace, p)} at {p:,}" for p in shown.sink_positions)
    sinks = "sinks" if len(shown.sink_positions) > 1 else "sink"
    if not np.isfinite(shown.mean_sink_mass):
        state = "masked" if look.masks else "shown"
        return f"**{name}** · {what} · {sinks} {state}: no row after the first token was read."
    mass = share_text(shown.mean_sink_mass)
    if look.masks:
        return (
            f"**{name}** · {what} · :orange[:material/visibility_off: **{sinks} masked**]: {mass} "
            f"of the attention sat on {at}; the rest of each head is scaled to 100 %."
        )
    return (
        f"**{name}** · {what} · :material/visibility: {sinks} shown: {mass} of the attention sits "
        f"on {at}."
    )


def overview_status(trace: Trace, overview: HeadOverview, *, mask: bool) -> str:
    """Where the sinks of all heads are, and whether they are shown, as Markdown. `overview` is that
    of the weights as they are."""
    sinks = overview.sinks
    at = ", ".join(
        f"{share_text(mass)} on {token_code(trace, position)} at {position:,}"
        for position, mass in zip(sinks.positions, sinks.mass, strict=True)
    )
    name = f"**All heads of {count_text(len(overview.layers), 'layer')}**"
    if overview.tokens < 2:
        return f"{name} · a single token, which can only attend to itself."
    if mask:
        return (
            f"{name} · :orange[:material/visibility_off: **sinks masked**]: {at} of all attention, "
            "taken out; the rest is scaled to 100 %."
        )
    return f"{name} · :material/visibility: sinks shown: {at} of all attention."
