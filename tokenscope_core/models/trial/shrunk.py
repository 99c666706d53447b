"""A small random model of the same construction as a large one, to try things on.

How a cache is kept and where a head is applied depend on a model's code and on how its
configuration puts that together, not on its size: a copy of a few narrow layers, one of each kind,
behaves as the whole does and runs in milliseconds.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

_DEPTHS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_layers_per_stack")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_KEY_HEADS = ("num_key_value_heads", "num_kv_heads")
# In proportion to the number of heads: the width of one head stays as it is.
_WIDTHS = ("hidden_size", "n_embd", "d_model")
_IN_PROPORTION = (
    *_WIDTHS, "word_embed_proj_dim", "attention_hidden_size", "lru_width",
    "mamba_d_ssm", "mamba_n_heads", "mamba_num_heads", "n_mamba_heads", "num_mamba_heads",
)  # fmt: skip
_FEED_FORWARD = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
# At most so much: rows, experts, ranks, and texts shorter than the one that is tried.
_AT_MOST = {
    "vocab_size": 512, "vocab_size_per_layer_input": 512,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4,
    "num_experts_per_tok": 2, "moe_k": 2, "top_k_experts": 2, "n_group": 1, "topk_group": 1,
    "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64,
    "expert_ffn_hidden_size": 64, "shared_intermediate_size": 64,
    "moe_shared_expert_intermediate_size": 64, "intermediate_size_mlp": 64,
    "kv_lora_rank": 32, "q_lora_rank": 32, "o_lora_rank": 32,
    "mamba_n_groups": 1, "mamba_ngroups": 1, "n_groups": 1,
    "sliding_window": 7, "window_size": 7, "attention_window_size": 8, "attention_chunk_size": 8,
    "chunk_size": 16, "mamba_chunk_size": 16, "block_size": 16, "index_topk": 16,
}  # fmt: skip
# A layer's kind may follow from its place; so many are needed to meet each.
_PERIODS = (
    "attn_layer_period", "expert_layer_period", "decoder_sparse_step", "full_attention_interval",
    "interleave_moe_layer_step",
)  # fmt: skip
_LISTS_OF_PLACES = (
    "attn_layer_indices", "mlp_only_layers", "moe_layers", "hybrid_layer_ids", "slstm_at",
    "full_attn_idxs",
)  # fmt: skip
_MOST_LAYERS = 16
_NARROW, _FORWARD = 64, 128
_MOST_NUMBERS = 60_000_000
_ERRORS = (
    ValueError, TypeError, RuntimeError, AttributeError, LookupError, AssertionError,
    ZeroDivisionError, ImportError,
)  # fmt: skip


def shrunk_copies(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Small random models of the same class and construction, float32, on the CPU, ready to run;
    the smallest first. Which of them runs is for the caller to try.

    None where none can be made that has every kind of part that the model has.
    """
    if "forward" in vars(model) or not _is_theirs(type(model)):
        return
    for configuration in _smaller(model.config):
        try:
            made = _built(type(model), configuration)
        except _ERRORS:
            continue
        if made is not None and _parts(model) <= _parts(made):
            yield made


def _built(kind: type[PreTrainedModel], configuration: PreTrainedConfig) -> PreTrainedModel | None:
    with torch.device("meta"):
        outline = kind._from_config(configuration)
    if sum(parameter.numel() for parameter in outline.parameters()) > _MOST_NUMBERS:
        return None
    # Whoever asked for a model also has a random generator, which is not to be moved.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made: PreTrainedModel = kind._from_config(configuration, dtype=torch.float32)
    return made.eval()


def _parts(model: PreTrainedModel) -> set[type[torch.nn.Module]]:
    """The kinds of modules of transformers' own: a quantised product is any product."""
    return {type(module) for module in model.modules() if _is_theirs(type(module))}


def _is_theirs(kind: type[torch.nn.Module]) -> bool:
    return kind.__module__.startswith("transformers.models.")


def _smaller(configuration: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """Smaller configurations of the same construction, the smallest first."""
    for key_heads, narrow in ((2, True), (2, False), (4, False), (8, False)):
        other = copy.deepcopy(configuration)
        if hasattr(other, "quantization_config"):
            del other.quantization_config
        parts = [other, *(getattr(other, name, None) for name in other.sub_configs)]
        for part in parts:
            if isinstance(part, PreTrainedConfig):
                _shrink(part, key_heads, narrow=narrow)
        yield other


def _shrink(config: PreTrainedConfig, key_heads: int, *, narrow: bool) -> None:
    _shrink_depth(config)
    values = vars(config)
    vocabulary = values.get("vocab_size")
    for name, most in _AT_MOST.items():
        if _is_count(values.get(name)):
            setattr(config, name, min(values[name], most))
    if _is_count(vocabulary):
        _keep_ids_below(config, min(vocabulary, _AT_MOST["vocab_size"]))
    _shrink_width(config, key_heads, narrow=narrow)
    width = _first(values, _WIDTHS)
    if width is not None and isinstance(values.get("initializer_range"), float):
        # States that are told apart, and gates that reach their limits: what differs has to show.
        config.initializer_range = 1.7 / math.sqrt(values[width])


def _shrink_width(config: PreTrainedConfig, key_heads: int, *, narrow: bool) -> None:
    """Fewer heads of the same width, and what is in proportion to them.

    `narrow` makes states narrower still than their heads, which few constructions take.
    """
    values = vars(config)
    width_name = _first(values, _WIDTHS)
    if width_name is None:
        return
    width = values[width_name]
    share = Fraction(min(width, _NARROW), width)
    if heads_name := _first(values, _HEADS):
        heads = values[heads_name]
        key_name = _first(values, _KEY_HEADS)
        keys = values[key_name] if key_name else heads
        fewer_keys = min(keys, key_heads)
        # Several heads that share a key stay several.
        fewer = min(heads, fewer_keys * (2 if heads > keys else 1))
        setattr(config, heads_name, fewer)
        if key_name:
            setattr(config, key_name, fewer_keys)
        if not narrow or "head_dim" not in values:
            share = Fraction(fewer, heads)
    for name in _IN_PROPORTION:
        if _is_count(values.get(name)):
            setattr(config, name, max(1, int(values[name] * share)))
    for name in _FEED_FORWARD:
        if _is_count(values.get(name)):
            expanded = values.get("expand") or 0
            most = values[width_name] * expanded if values[name] == width * expanded else _FORWARD
            setattr(config, name, min(values[name], int(most)))


def _shrink_depth(config: PreTrainedConfig) -> None:
    """Keep a layer of each kind, and at least two."""
    values = vars(config)
    depth_name = _first(values, _DEPTHS)
    if depth_name is None:
        return
    depth = values[depth_name]
    lists = {
        name: value
        for name, value in values.items()
        if isinstance(value, list | tuple) and len(value) == depth and name not in _LISTS_OF_PLACES
    }
    places = {
        name: value
        for name, value in values.items()
        if name in _LISTS_OF_PLACES and isinstance(value, list | tuple)
    }
    shared = values.get("num_kv_shared_layers")
    shared = shared if _is_count(shared) else 0

    def kind_of(layer: int) -> tuple[Any, ...]:
        listed = (repr(value[layer]) for value in lists.values())
        placed = (layer in value for value in places.values())
        return (*listed, *placed, layer >= depth - shared)

    kept = _one_of_each(depth, kind_of, _period(values))
    for name, value in lists.items():
        setattr(config, name, type(value)(value[layer] for layer in kept))
    for name, value in places.items():
        setattr(config, name, type(value)(i for i, layer in enumerate(kept) if layer in value))
    if shared:
        config.num_kv_shared_layers = sum(layer >= depth - shared for layer in kept)
    setattr(config, depth_name, len(kept))


def _one_of_each(depth: int, kind_of: Callable[[int], object], period: int) -> list[int]:
    first: dict[object, int] = {}
    for layer in range(depth):
        first.setdefault(kind_of(layer), layer)
    kept = set(first.values())
    if len(first) == 1 or period > 1:
        kept |= set(range(min(depth, max(2, period), _MOST_LAYERS)))
    return sorted(kept)


def _period(values: dict[str, Any]) -> int:
    counts: list[int] = [values[name] for name in _PERIODS if _is_count(values.get(name))]
    if _is_count(values.get("first_k_dense_replace")):
        counts.append(values["first_k_dense_replace"] + 1)
    return max(counts, default=1)


def _keep_ids_below(config: PreTrainedConfig, rows: int) -> None:
    for name, value in list(vars(config).items()):
        if name.endswith(("_token_id", "_token_index")):
            if isinstance(value, list | tuple):
                setattr(config, name, [min(each, rows - 1) for each in value])
            elif _is_count(value):
                setattr(config, name, min(value, rows - 1))


def _first(values: dict[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if _is_count(values.get(name))), None)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
