"""Loading a causal language model together with everything the engine needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tokenscope_core.errors import ModelFormatError
from tokenscope_core.models.attention_layers import AttentionFacts
from tokenscope_core.models.building import build, refusing
from tokenscope_core.models.cache_reader import CacheReader, CacheUse, embedding_rows, input_device
from tokenscope_core.models.files.authors_settings import AuthorsSettings, authors_settings
from tokenscope_core.models.files.facts import context_of
from tokenscope_core.models.files.model_files import ModelFiles, identify, require_unchanged
from tokenscope_core.models.obtaining import obtain
from tokenscope_core.models.prefix_cache import PrefixCache
from tokenscope_core.models.tokenizers.marks import fill_convention, make_marks_special
from tokenscope_core.models.tokenizers.token_bytes import vocabulary_of
from tokenscope_core.models.tokenizers.tokenizing import text_ids
from tokenscope_core.models.trial.findings import find_out
from tokenscope_core.models.weight_layout import lay_out
from tokenscope_core.record.rounding import Rounding
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do beyond predicting the next token, and how it has to be read.

    `head_apart`: its head can be applied to some of the states that its body was run for before.
    `attention`: which of its layers attend, and in what way that can be had.
    `rounding`: how far its figures depend on how a text is read; None where it was not tried.
    """

    begins_with_special: bool
    chat_template: bool
    fill_in_the_middle: bool
    cache: CacheUse
    head_apart: bool
    attention: AttentionFacts
    rounding: Rounding | None = field(default=None, compare=False)


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

    @property
    def token_rows(self) -> int:
        """How many token ids it can read and give a probability to."""
        return min(embedding_rows(self.model), self.identity.vocabulary_size)

    @property
    def authors_settings(self) -> AuthorsSettings:
        """How its authors set its generation: what `generate()` of transformers does."""
        return authors_settings(self.model.generation_config.to_dict())

    def new_reader(self) -> CacheReader:
        """A reader that has read nothing."""
        return CacheReader(self.model, self.capabilities.cache, head_apart=self.head_apart)

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
        model: None, a folder, a GGUF file, the folder of a PEFT adapter or `ADAPTER+BASE`, a hub
            id, the name of an offer such as `smollm2`, or files already located. What has to be
            downloaded or converted first, is.
        dtype: precision to run in; None keeps the checkpoint's.
        device: where to run; `auto` spreads the model over all devices there are, through
            accelerate. Quantised weights are placed by accelerate too.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are damaged, incomplete or not a causal language model.
        ModelError: a library that its weights or the device call for is missing.
        ModelTooLargeError: there is no room to convert it.
        CapabilityError: the tokenizer does not spell out its bytes, or the model is no decoder.
    """
    files = identify(model) if isinstance(model, ModelFiles) else obtain(model)
    loaded, tokenizer = build(files, dtype=dtype, device=device)
    require_unchanged(files)
    lay_out(loaded)
    with refusing(files, "it"):
        return describe(loaded, tokenizer, files)


def describe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, files: ModelFiles
) -> LanguageModel:
    """Wrap a model and tokenizer already in memory.

    Raises:
        CapabilityError: the tokenizer does not spell out its bytes, or the model is no decoder.
    """
    config = model.config.get_text_config()
    found = find_out(model, files.name)
    reading = found.reading
    vocabulary_size, cache = reading.vocabulary_size, reading.cache
    files = identify(files)
    fingerprint = files.fingerprint_in(str(model.dtype).removeprefix("torch."))
    assert fingerprint is not None, "its files have been read"
    make_marks_special(tokenizer)
    vocabulary = vocabulary_of(tokenizer, vocabulary_size)
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        identity=ModelIdentity(
            files.name,
            fingerprint,
            vocabulary_size,
            reading.rounding if reading.rounding.visible else None,
        ),
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
            head_apart=found.head_apart,
            attention=found.attention,
            rounding=reading.rounding,
        ),
    )


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The generation config's end tokens, as `generate` uses them; else the tokenizer's.

    Raises:
        ModelFormatError: they are no token ids.
    """
    configured = getattr(model.generation_config, "eos_token_id", None)
    if configured is None:
        configured = tokenizer.eos_token_id
    if configured is None:
        return frozenset()
    ids = configured if isinstance(configured, list) else [configured]
    if not all(type(token_id) is int for token_id in ids):
        raise ModelFormatError(
            asked="The tokens that end a text were to be read from generation_config.json.",
            found="Its eos_token_id is no whole number and no list of such.",
            action="Take a complete copy of the model, or mend that file.",
        )
    return frozenset(ids)
