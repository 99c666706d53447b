"""Random models of a few thousand weights, with a real byte-level tokenizer: exact, offline."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from tokenscope_core.model_files import ModelFiles
from tokenscope_core.models import LanguageModel, describe

CORPUS = ["def add(a, b):\n    return a + b\n", "for i in range(10):\n    print(i, é)\n"] * 4
FAMILIES = ("llama", "gpt2", "gpt_neox", "qwen2")
CONTEXT = 512


@functools.cache
def tokenizer(bos: bool = True) -> PreTrainedTokenizerFast:
    """Byte-level BPE of 300 tokens; with `bos` it begins every text with <|endoftext|>."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )


def model(family: str, seed: int = 0) -> PreTrainedModel:
    """A random model of a family, with weights large enough for peaked distributions."""
    torch.manual_seed(seed)
    vocabulary = len(tokenizer())
    llama = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT,
        "initializer_range": 0.3, "bos_token_id": 0, "eos_token_id": 0,
    }  # fmt: skip
    if family == "llama":
        built = LlamaForCausalLM(LlamaConfig(**llama, num_key_value_heads=2))
    elif family == "qwen2":
        built = Qwen2ForCausalLM(Qwen2Config(**llama, num_key_value_heads=2))
    elif family == "gpt_neox":
        built = GPTNeoXForCausalLM(GPTNeoXConfig(**llama))
    else:
        config = GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT,
            initializer_range=0.3, bos_token_id=0, eos_token_id=0,
        )  # fmt: skip
        built = GPT2LMHeadModel(config)
    return built.eval()


@functools.cache
def language_model(family: str = "llama", bos: bool = True) -> LanguageModel:
    """The model and tokenizer as the engine sees them."""
    files = ModelFiles(f"tiny-{family}", Path("nowhere"), f"hash-{family}-{bos}")
    return describe(model(family), tokenizer(bos), files)
