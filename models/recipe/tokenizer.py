"""The byte-level BPE tokenizer: how text is cut before merging, and how it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
PAD = "<|pad|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_MIDDLE = "<|fim_middle|>"
FIM_SUFFIX = "<|fim_suffix|>"
SPECIAL = (END, PAD, FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX)

WORDS = "|".join(
    (
        r"(?:\r?\n)+",  # line ends apart from the indentation after them, so that a prompt that
        r" {2,}",  # ends in either is cut exactly as training text was
        r"\t+",
        r" ?_*[\p{L}\p{M}]+",  # snake_case falls into words that keep their underscore
        r" ?_+",
        r" ?\p{N}",  # one digit at a time
        r" ?[^\s\p{L}\p{M}\p{N}_]+",
        r"\s",
    )
)
"""The pre-tokenizer: merges never cross these pieces, so tokens rarely straddle syntax."""


def untrained() -> Tokenizer:
    """A tokenizer with the pipeline set up and no vocabulary. It loses nothing: no normaliser."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(texts: Iterator[str], vocab_size: int) -> Tokenizer:
    """Learn `vocab_size` tokens: the special ones first, then 256 bytes, then merges.

    A document start token precedes every encoded text, as in training, so that the first real
    token of a prompt has a probability too.
    """
    tokenizer = untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A",
        pair=f"{END} $A {END} $B",
        special_tokens=[(END, tokenizer.token_to_id(END))],
    )
    return tokenizer


def special_id(tokenizer: Tokenizer, name: str) -> int:
    """The id of a special token; raises `ValueError` if the tokenizer has none of that name."""
    token = tokenizer.token_to_id(name)
    if token is None:
        raise ValueError(f"the tokenizer has no token {name!r}; it was not made by this recipe")
    return int(token)


def save(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write the files that `AutoTokenizer.from_pretrained(folder)` reads."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    ).save_pretrained(folder)


def load(folder: Path) -> Tokenizer:
    """The bare `tokenizers` object of a saved folder, which is what packing needs."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
