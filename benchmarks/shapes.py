"""Models to measure: random ones of a given shape, built in memory, and the shipped one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tokenscope_core import LanguageModel, load_model
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.names import SHIPPED_FOLDER
from tokenscope_core.models.language_model import describe


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama decoder with tied embeddings."""

    name: str
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int


SHAPES = {
    "10M": Shape("10M", 8192, 320, 864, 8, 5, 5),
    "135M": Shape("135M", 49152, 576, 1536, 30, 9, 3),
    "0.5B": Shape("0.5B", 151936, 896, 4864, 24, 14, 2),
}


def random_model(shape: Shape) -> LanguageModel:
    """A model of that shape that never ends a text, with a tokenizer of single bytes."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=4096,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    files = ModelFiles(f"random {shape.name}", Path(), f"random-{shape.name}")
    return describe(model, _byte_tokenizer(shape.vocabulary), files)


def shipped_model() -> LanguageModel | None:
    """The shipped model, going on past its end token; None where it has not been trained."""
    if not (SHIPPED_FOLDER / "model.safetensors").is_file():
        return None
    lm = load_model()
    lm.model.generation_config.eos_token_id = None
    return replace(lm, end_ids=frozenset())


def parameters(lm: LanguageModel) -> str:
    """How many weights, for people."""
    return f"{sum(p.numel() for p in lm.model.parameters()) / 1e6:.1f} M"


def _byte_tokenizer(size: int) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = alphabet + [f"token{i}" for i in range(size - len(alphabet))]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)
