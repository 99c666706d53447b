"""Loading a causal language model together with everything the engine needs to know of it."""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tokenscope_core.attention.layers import AttentionFacts, layout_of
from tokenscope_core.errors import ModelError, ModelFormatError, summary_of
from tokenscope_core.failures import is_out_of_memory
from tokenscope_core.machine import SPREAD
from tokenscope_core.model_facts import context_of, quantisation_of
from tokenscope_core.model_files import ModelFiles, identify, locate, require_unchanged
from tokenscope_core.prefix_cache import PrefixCache
from tokenscope_core.probing import find_cache_use, head_is_apart
from tokenscope_core.prompts import fill_convention, make_marks_special, text_ids
from tokenscope_core.reading import CacheUse, Reader, input_device
from tokenscope_core.steps import Vocabulary
from tokenscope_core.token_bytes import vocabulary_of
from tokenscope_core.trace import ModelIdentity
from tokenscope_core.weights_in_memory import reading_weights

# While transformers builds a model it switches initialisation and the tying of weights off for the
# whole process: of two models loaded at once, one is left with untied, random weights.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do beyond predicting the next token, and how it has to be read.

    `head_apart`: its head can be applied to some of the states that its body was run for before.
    `attention`: which of its layers attend, and in what way that can be had.
    """

    begins_with_special: bool
    chat_template: bool
    fill_in_the_middle: bool
    cache: CacheUse
    head_apart: bool
    attention: AttentionFacts


@dataclass(frozen=True, slots=True, eq=False)
class LanguageModel:
    """A loaded model: weights, tokenizer, identity, and facts read from its configuration.

    `context_length` is None where the model states no bound. `end_ids` are the tokens that end
    a generation. `weights` says how many numbers the model consists of. `files` are what it was
    loaded from, as they were then.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: ModelIdentity
    vocabulary: Vocabulary
    context_length: int | None
    end_ids: frozenset[int]
    capabilities: Capabilities
    weights: int
    files: ModelFiles
    prefixes: PrefixCache = field(default_factory=PrefixCache)

    @property
    def device(self) -> torch.device:
        """Where inputs have to be."""
        return input_device(self.model)

    def new_reader(self) -> Reader:
        """A reader that has read nothing."""
        return Reader(self.model, self.capabilities.cache, head_apart=self.head_apart)

    @property
    def head_apart(self) -> bool:
        """Whether its head can be applied apart from its body, as its capabilities say, still:
        not where another forward has been put in the model's place (offloading does)."""
        return self.capabilities.head_apart and "forward" not in vars(self.model)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, with the special tokens that this model expects before a prompt.

        Everything in `text` is text: the name of a special token typed by a person is split
        into ordinary tokens.

        Raises:
            RequestError: the text has no tokens, and the model has none to begin with.
        """
        return text_ids(self.tokenizer, text)


def load_model(
    model: str | Path | ModelFiles | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> LanguageModel:
    """Load a causal language model; without arguments the shipped one.

    Args:
        model: None, a folder, a hub id, or files already located.
        dtype: precision to run in; None keeps the checkpoint's.
        device: where to run; `auto` spreads the model over all devices there are, through
            accelerate. Quantised weights are placed by accelerate too.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are damaged, incomplete or not a causal language model.
        ModelError: a library that its weights or the device call for is missing.
        CapabilityError: the tokenizer does not spell out its bytes, or the model is no decoder.
    """
    files = identify(model if isinstance(model, ModelFiles) else locate(model))
    quantised = quantisation_of(files)
    placed_by_accelerate = device if quantised is not None or str(device) == SPREAD else None
    if placed_by_accelerate is not None and importlib.util.find_spec("accelerate") is None:
        raise ModelError(
            asked=f"The model “{files.name}” was to be placed on “{device}”.",
            found=("Its weights are quantised by " + quantised + ". That" if quantised else "That")
            + " takes the library accelerate, which is not installed.",
            action="Install accelerate, or choose one device and weights that are not quantised.",
        )
    try:
        with _one_at_a_time, reading_weights():
            loaded, info = AutoModelForCausalLM.from_pretrained(
                files.folder,
                dtype=dtype or "auto",
                device_map=placed_by_accelerate,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, by name
            )
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        if is_out_of_memory(error):
            raise
        if quantised is not None:
            raise ModelError(
                asked=f"The model “{files.name}” was to be loaded.",
                found=f"Its weights are quantised by {quantised}, and cannot be run here: "
                f"{summary_of(error)}",
                action="Install the library that is named, or choose a model whose weights are "
                "not quantised.",
            ) from error
        # transformers raises a different type for every way a folder can be wrong.
        raise ModelFormatError(
            asked=f"The model “{files.name}” was to be loaded.",
            found=f"transformers could not load it: {summary_of(error)}",
            action="Take a complete copy of the model, or choose another.",
        ) from error
    _refuse_untrained_weights(files, info)
    require_unchanged(files)
    placed = loaded if placed_by_accelerate is not None else loaded.to(device)
    return describe(placed.eval(), tokenizer, files)


def describe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, files: ModelFiles
) -> LanguageModel:
    """Wrap a model and tokenizer already in memory.

    Raises:
        CapabilityError: the tokenizer does not spell out its bytes, or the model is no decoder.
    """
    config = model.config.get_text_config()
    vocabulary_size = int(model.get_output_embeddings().weight.shape[0])
    cache = find_cache_use(model, vocabulary_size, files.name)
    files = identify(files)
    fingerprint = files.fingerprint_in(str(model.dtype).removeprefix("torch."))
    assert fingerprint is not None, "its files have been read"
    make_marks_special(tokenizer)
    vocabulary = vocabulary_of(tokenizer, vocabulary_size)
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        identity=ModelIdentity(files.name, fingerprint, vocabulary_size),
        vocabulary=vocabulary,
        context_length=context_of(config.to_dict()),
        end_ids=_end_ids(model, tokenizer),
        weights=int(model.num_parameters()),
        files=files,
        capabilities=Capabilities(
            begins_with_special=bool(tokenizer("")["input_ids"]),
            chat_template=bool(getattr(tokenizer, "chat_template", None)),
            fill_in_the_middle=fill_convention(tokenizer) is not None,
            cache=cache,
            head_apart=head_is_apart(model, vocabulary_size, cache),
            attention=layout_of(model, vocabulary_size).facts,
        ),
    )


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The generation config's end tokens, as `generate` uses them; else the tokenizer's."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    if configured is None:
        configured = tokenizer.eos_token_id
    if configured is None:
        return frozenset()
    return frozenset([configured] if isinstance(configured, int) else configured)


def _refuse_untrained_weights(files: ModelFiles, info: dict[str, Any]) -> None:
    missing = sorted(info.get("missing_keys") or [])
    mismatched = sorted(key for key, *_ in info.get("mismatched_keys") or [])
    for names, problem in (
        (missing, "not in its files"),
        (mismatched, "of another shape in its files"),
    ):
        if names:
            raise ModelFormatError(
                asked=f"The model “{files.name}” was to be loaded.",
                found=f"{len(names)} of its weights are {problem} (first: {names[0]}); "
                "they would be random.",
                action="Take a complete copy of the model.",
            )
