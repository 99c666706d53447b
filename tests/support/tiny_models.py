"""Random models of a few thousand weights, with a real byte-level tokenizer: exact, offline."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, cast

import tiny_families
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.language_model import LanguageModel, describe

CORPUS = ["def add(a, b):\n    return a + b\n", "for i in range(10):\n    print(i, é)\n"] * 4
FAMILIES = ("llama", "gpt2", "gpt_neox", "qwen2")
CONTEXT = tiny_families.CONTEXT


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
    return configured(*tiny_families.FAMILIES[family], seed)


def configured(model_type: str, settings: dict[str, Any], seed: int = 0) -> PreTrainedModel:
    """A random model of transformers' model type, as it is given in `tiny_families`."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **{"vocab_size": len(tokenizer()), **settings})
    return cast(PreTrainedModel, AutoModelForCausalLM.from_config(config).eval())


@functools.cache
def language_model(family: str = "llama", bos: bool = True) -> LanguageModel:
    """The model and tokenizer as the engine sees them."""
    return describe(model(family), tokenizer(bos), files(f"tiny-{family}", f"hash-{family}-{bos}"))


def described(model_type: str, settings: dict[str, Any]) -> LanguageModel:
    """As `language_model`, of a configuration that is no family of its own."""
    model = configured(model_type, settings)
    return describe(model, tokenizer(), files(f"tiny-{model_type}", repr(settings)))


def files(name: str, fingerprint: str = "hash") -> ModelFiles:
    """Stands for the files of a model that was never on a disk."""
    return ModelFiles(name, Path("nowhere"), fingerprint)


def saved(folder: Path, family: str = "llama", seed: int = 0) -> str:
    """Writes a tiny model and its tokenizer into a folder; returns the folder's path."""
    model(family, seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)
