"""What a selection means in a text that a model has read: layers, heads and room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenscope_core.attention.capturing.estimate import Heads, require_room
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.capturing.sources import no_attention, refusals_of
from tokenscope_core.errors import RequestError
from tokenscope_core.models.attention_interface import EAGER
from tokenscope_core.models.attention_layers import AttentionFacts
from tokenscope_core.models.files.machine import memory_of

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


def chosen_layers(
    facts: AttentionFacts, selection: Selection, length: int
) -> dict[int, tuple[int, ...]]:
    """The heads that a selection means, by layer, in a text of that length.

    Raises:
        RequestError: there is no such layer, head or position.
    """
    heads = dict(zip(facts.layers, facts.heads, strict=True))
    layers = facts.layers if selection.layers is None else selection.layers
    missing = sorted(set(layers) - heads.keys())
    if missing:
        raise RequestError(
            asked=f"Attention of the layers {missing} was asked for.",
            found="They give none, or are not there; layers with attention: "
            f"{', '.join(map(str, facts.layers))}. {refusals_of(facts)}".rstrip(),
            action="Choose among these.",
        )
    fewest = min(heads[layer] for layer in layers)
    if selection.heads is not None and selection.heads[-1] >= fewest:
        raise RequestError(
            asked=f"Attention of the heads {list(selection.heads)} was asked for.",
            found=f"The layers have {fewest} heads.",
            action=f"Choose heads up to {fewest - 1}.",
        )
    if selection.queries is not None and selection.queries[1] > length:
        raise RequestError(
            asked=f"Attention of the positions {selection.queries} was asked for.",
            found=f"The text has {length:,} tokens.",
            action=f"Choose a range that ends at {length:,} or before.",
        )
    return {layer: selection.heads or tuple(range(heads[layer])) for layer in layers}


def heads_of(lm: LanguageModel) -> Heads:
    """How much of a loaded model attends.

    Raises:
        CapabilityError: nothing does.
    """
    facts, config = lm.capabilities.attention, lm.model.config
    if facts.way == "none":
        raise no_attention(lm.identity.name, facts)
    eager = facts.way == "modules" or config._attn_implementation == EAGER
    width = config.get_text_config().hidden_size
    return Heads(facts.layers, max(facts.heads), width, eager=eager)


def require_map(lm: LanguageModel, selection: Selection, length: int) -> tuple[int, ...]:
    """The heads of a map, or those that are folded, where it is one block of numbers that fits.

    Raises:
        RequestError: layers differ in their number of heads.
        SelectionTooLargeError: it does not fit.
        CapabilityError: the model has no attention.
    """
    known = heads_of(lm)
    by_layer = chosen_layers(lm.capabilities.attention, selection, length)
    counts = {len(heads) for heads in by_layer.values()}
    if len(counts) > 1 and selection.fold is None:
        raise RequestError(
            asked="Attention of all heads of several layers was asked for.",
            found=f"The layers have different numbers of heads: {sorted(counts)}.",
            action=f"Choose heads up to {min(counts) - 1}, or one layer at a time.",
        )
    require_room(known, length, selection, memory_of(str(lm.device)).available)
    return max(by_layer.values(), key=len)
