"""What a model's files say about it, without loading it or importing torch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from tokenscope_core.model_files import ModelFiles
from tokenscope_core.tokenizer_files import can_fill_in_the_middle, has_chat_template

_BYTES_PER_NUMBER = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's size and shape; None where its configuration does not say.

    `parameters` counts the numbers stored in the weight files, tied weights once.
    `weight_bytes` is what they take on disk, and about what they take in memory;
    `cache_bytes_per_token` is what the key-value cache of full attention grows by with a token.
    `fill_in_the_middle` is None where its tokenizer's files do not say.
    """

    architecture: str
    parameters: int
    weight_bytes: int
    precision: str
    layers: int | None
    heads: int | None
    key_value_heads: int | None
    width: int | None
    vocabulary: int | None
    context: int | None
    cache_bytes_per_token: int | None
    chat_template: bool
    fill_in_the_middle: bool | None


def facts_of(files: ModelFiles) -> ModelFacts:
    """Read the facts of located files."""
    config = json.loads((files.folder / "config.json").read_text(encoding="utf-8"))
    config = {**config, **(config.get("text_config") or {})}
    layers = _number(config, "num_hidden_layers", "n_layer", "n_layers")
    heads = _number(config, "num_attention_heads", "n_head", "n_heads")
    key_value_heads = _number(config, "num_key_value_heads", "n_head_kv") or heads
    width = _number(config, "hidden_size", "n_embd", "d_model")
    head_width = _number(config, "head_dim") or (width // heads if width and heads else None)
    cache = None
    if layers and key_value_heads and head_width:
        per_number = _BYTES_PER_NUMBER.get(files.precision, 4)
        cache = 2 * layers * key_value_heads * head_width * per_number
    parameters, weight_bytes = _weights(files)
    return ModelFacts(
        architecture=str((config.get("architectures") or ["unknown"])[0]),
        parameters=parameters,
        weight_bytes=weight_bytes,
        precision=files.precision,
        layers=layers,
        heads=heads,
        key_value_heads=key_value_heads,
        width=width,
        vocabulary=_number(config, "vocab_size"),
        context=_number(config, "max_position_embeddings", "n_positions", "max_seq_len"),
        cache_bytes_per_token=cache,
        chat_template=has_chat_template(files),
        fill_in_the_middle=can_fill_in_the_middle(files),
    )


def _number(config: dict[str, Any], *names: str) -> int | None:
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and value > 0), None)


def _weights(files: ModelFiles) -> tuple[int, int]:
    parameters = weight_bytes = 0
    for path in sorted(files.folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
        parameters += sum(math.prod(tensor["shape"]) for tensor in tensors)
        weight_bytes += max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    return parameters, weight_bytes
