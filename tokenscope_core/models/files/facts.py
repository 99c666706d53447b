"""What a model's files, or the hub, say about it, without loading it or importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenscope_core.models.files.catalogue import Offer, offer_named
from tokenscope_core.models.files.choice import BYTES_PER_NUMBER
from tokenscope_core.models.files.folder_checks import named_precision, read_config
from tokenscope_core.models.files.formats.adapters import method_of, require_adapter
from tokenscope_core.models.files.formats.gguf import GgufHeader
from tokenscope_core.models.files.formats.quantised import method_of_quantisation
from tokenscope_core.models.files.hub import HubModel
from tokenscope_core.models.files.model_files import ModelFiles, gguf_of, read_header_of
from tokenscope_core.models.files.tokenizer_files import can_fill_in_the_middle, has_chat_template
from tokenscope_core.models.files.weight_files import read_header, weight_paths

# A hub's configuration may say anything; no model comes near.
_MOST_LAYERS = 10_000
_LONGROPE = ("longrope", "su")  # and what the first Phi-3 called it


@dataclass(frozen=True, slots=True)
class Conversion:
    """A GGUF file: how most of its numbers are quantised, such as `Q4_1`, and its bytes."""

    kind: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is put onto a model: by which method, how many numbers it has, and the model's name."""

    method: str
    numbers: int
    base: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's size and shape; None where nothing says it.

    `parameters` counts the numbers stored in the weight files, tied weights once; of quantised
    weights several may be packed into one. `weight_bytes` is what they take on disk.
    `cache_bytes_per_token` is what the key-value cache of full attention grows by with a token, in
    `precision`. `attention_layers` are those that attend, where others are recurrent; None: all.
    `quantised` names the method. `chat_template` and `fill_in_the_middle` are None
    where its tokenizer's files do not say or are not here; `download_bytes` is None once they are.
    `gguf` is the file that the weights are, or will be, converted from.
    """

    architecture: str
    parameters: int | None
    weight_bytes: int
    precision: str
    layers: int | None
    heads: int | None
    key_value_heads: int | None
    width: int | None
    vocabulary: int | None
    context: int | None
    cache_bytes_per_token: int | None
    attention_layers: tuple[int, ...] | None = None
    quantised: str | None = None
    chat_template: bool | None = None
    fill_in_the_middle: bool | None = None
    download_bytes: int | None = None
    gguf: Conversion | None = None
    adapter: Adapter | None = None


def facts_of(files: ModelFiles) -> ModelFacts:
    """Read the facts of located files."""
    headers = [read_header(path) for path in weight_paths(files.folder)]
    return _facts(
        _config(files),
        parameters=sum(header.numbers for header in headers),
        weight_bytes=sum(header.bytes for header in headers),
        precision=files.precision,
        chat_template=has_chat_template(files),
        fill_in_the_middle=can_fill_in_the_middle(files),
        gguf=None if files.gguf is None else _conversion(files.gguf, read_header_of(files.gguf)),
        adapter=None if files.adapter is None else _adapter(files),
    )


def facts_ahead(name: str) -> ModelFacts | None:
    """What is known here of a model that has to be converted or downloaded first, without asking
    anybody; None where nothing is.

    Raises:
        ModelFormatError: it is a GGUF file that cannot be read.
    """
    gguf = gguf_of(name)
    if gguf is not None:
        return _gguf_facts(gguf, read_header_of(gguf))
    offer = offer_named(name)
    return None if offer is None else _offer_facts(offer)


def _conversion(gguf: Path, header: GgufHeader) -> Conversion:
    return Conversion(header.quantisation, gguf.stat().st_size)


def _adapter(files: ModelFiles) -> Adapter:
    assert files.adapter is not None and files.base is not None
    weights = require_adapter(files.adapter.name, files.adapter)
    return Adapter(method_of(files.adapter), weights.numbers, files.base.name)


def _gguf_facts(gguf: Path, header: GgufHeader) -> ModelFacts:
    """What a file's header says; its weights are counted as what they become, float32."""
    config = {
        "architectures": [header.architecture],
        "num_hidden_layers": header.number("block_count"),
        "num_attention_heads": header.number("attention.head_count"),
        "num_key_value_heads": header.number("attention.head_count_kv"),
        "hidden_size": header.number("embedding_length"),
        "head_dim": header.number("attention.key_length"),
        "vocab_size": header.lengths.get("tokenizer.ggml.tokens"),
        "max_position_embeddings": header.number("context_length"),
    }
    return _facts(
        config,
        parameters=header.numbers,
        weight_bytes=header.numbers * BYTES_PER_NUMBER["float32"],
        precision="float32",
        chat_template="tokenizer.chat_template" in header.values,
        gguf=_conversion(gguf, header),
    )


def _offer_facts(offer: Offer) -> ModelFacts:
    return _facts(
        {"max_position_embeddings": offer.context},
        parameters=offer.parameters,
        weight_bytes=offer.parameters * BYTES_PER_NUMBER[offer.precision],
        precision=offer.precision,
        download_bytes=offer.download_bytes,
    )


def hub_facts(model: HubModel) -> ModelFacts:
    """The facts of a model that is still on the hub."""
    return _facts(
        model.config,
        parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        precision=named_precision(model.config) or "float32",
        download_bytes=model.download_bytes,
    )


def _facts(config: Mapping[str, Any], *, precision: str, **known: Any) -> ModelFacts:
    inner = config.get("text_config")
    config = {**config, **(inner if isinstance(inner, dict) else {})}
    layers = _number(config, "num_hidden_layers", "n_layer", "n_layers")
    heads = _number(config, "num_attention_heads", "n_head", "n_heads")
    key_value_heads = _number(config, "num_key_value_heads", "n_head_kv") or heads
    width = _number(config, "hidden_size", "n_embd", "d_model")
    head_width = _number(config, "head_dim") or (width // heads if width and heads else None)
    cache = None
    if layers and key_value_heads and head_width:
        cache = 2 * layers * key_value_heads * head_width * BYTES_PER_NUMBER.get(precision, 4)
    named = config.get("architectures")
    return ModelFacts(
        architecture=_first_word(named),
        precision=precision,
        layers=layers,
        heads=heads,
        key_value_heads=key_value_heads,
        width=width,
        vocabulary=_number(config, "vocab_size"),
        context=context_of(config),
        cache_bytes_per_token=cache,
        attention_layers=_attention_layers(config, min(layers or 0, _MOST_LAYERS)),
        quantised=method_of_quantisation(config),
        **known,
    )


def context_of(config: Mapping[str, Any]) -> int | None:
    """How many tokens a model reads; None where its configuration states no bound.

    With LongRoPE (arXiv:2402.13753) all positions turn by other angles once a text is longer than
    the model was first trained on. What was read before is then no longer what one pass over the
    text would give, so that this length is the bound.
    """
    stated = _number(config, "max_position_embeddings", "n_positions", "max_seq_len")
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    if not isinstance(rope, dict):
        return stated
    # The angles of all layers, or of each kind of layer.
    tables = [rope, *(table for table in rope.values() if isinstance(table, dict))]
    first = [
        _number(config, "original_max_position_embeddings")
        or _number(table, "original_max_position_embeddings")
        for table in tables
        if (table.get("rope_type") or table.get("type")) in _LONGROPE
    ]
    return min(filter(None, (stated, *first)), default=None)


def quantisation_of(files: ModelFiles) -> str | None:
    """The method by which a model's weights are quantised; None where they are not."""
    return method_of_quantisation(_config(files))


def _config(files: ModelFiles) -> dict[str, Any]:
    return read_config(files.name, files.folder)


def _attention_layers(config: Mapping[str, Any], layers: int) -> tuple[int, ...] | None:
    """What a hybrid's configuration says, in the ways that transformers knows."""
    indices = config.get("attn_layer_indices")
    if isinstance(indices, list):
        return tuple(i for i in indices if type(i) is int)
    period, offset = config.get("attn_layer_period"), config.get("attn_layer_offset")
    if type(period) is int and period > 0:
        return tuple(i for i in range(layers) if i % period == offset)
    for name in ("layer_types", "layers_block_type", "block_types"):
        kinds = config.get(name)
        if isinstance(kinds, list) and kinds:
            # A pattern that is shorter than the model repeats.
            count = layers or len(kinds)
            return tuple(i for i in range(count) if _attends(str(kinds[i % len(kinds)])))
    return None


def _attends(kind: str) -> bool:
    return kind == "hybrid" or (kind.endswith("attention") and not kind.startswith("linear"))


def _first_word(named: Any) -> str:
    """The first of a list of names, where it is one."""
    first = named[0] if isinstance(named, list) and named else None
    return first if isinstance(first, str) else "unknown"


def _number(config: Mapping[str, Any], *names: str) -> int | None:
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and value > 0), None)
