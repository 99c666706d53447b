"""A model and its tokenizer from files that transformers may or may not make something of.

What counts is what is loaded: whether every weight was in the files, not what the configuration
calls the architecture. The model is built without memory first, so that one whose configuration
promises more than its files hold is refused before anything is allocated.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    QuantoConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from tokenscope_core.errors import ModelError, ModelFormatError, ModelTooLargeError
from tokenscope_core.models.adapters import put_on
from tokenscope_core.models.files.facts import facts_of, quantisation_of
from tokenscope_core.models.files.json_files import damage_of
from tokenscope_core.models.files.machine import SPREAD, memory_of
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.openable import require_runnable
from tokenscope_core.models.foreign import foreign_files
from tokenscope_core.models.weights_in_memory import reading_weights

# While transformers builds a model it switches initialisation and the tying of weights off for the
# whole process: of two models loaded at once, one is left with untied, random weights.
one_at_a_time = threading.Lock()
# Of two bits each, the fewest that are in use.
_PACKED_IN_A_BYTE = 4
# So many numbers too many take little; the weights that lack them are then refused by name.
_HARMLESS = 50_000_000
_COMPLETE_COPY = "Take a complete copy of the model, or choose another."


def build(
    files: ModelFiles, *, dtype: torch.dtype | None, device: str | torch.device
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load located files, ready to run.

    Args and raises: as `models.load_model`.
    """
    require_runnable(files)
    quantised = quantisation_of(files)
    placed_by_accelerate = device if quantised is not None or str(device) == SPREAD else None
    if placed_by_accelerate is not None and importlib.util.find_spec("accelerate") is None:
        raise ModelError(
            asked=f"The model “{files.name}” was to be placed on “{device}”.",
            found="That takes the library accelerate, which is not installed.",
            action="Install accelerate, or choose one device.",
        )
    with one_at_a_time, reading_weights():
        with refusing(files, "what config.json describes"):
            config = AutoConfig.from_pretrained(
                files.folder, trust_remote_code=False, local_files_only=True
            )
            _require_causal(files, config)
            _require_promised(files, config, quantised)
        with refusing(files, "its weights", quantised):
            loaded, info = AutoModelForCausalLM.from_pretrained(
                files.folder,
                config=config,
                dtype=dtype or "auto",
                device_map=placed_by_accelerate,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, by name
                **_quantised_on_the_way(config),
            )
    with refusing(files, "its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            files.tokenizer_folder, trust_remote_code=False, local_files_only=True
        )
    refuse_untrained_weights(files.name, info)
    if files.adapter is not None:
        loaded = put_on(loaded, files)
    placed = loaded if placed_by_accelerate is not None else loaded.to(device)
    return placed.eval(), tokenizer


def refusing(
    files: ModelFiles, part: str, quantised: str | None = None
) -> AbstractContextManager[None]:
    """Turn what transformers raises about a model's files into a refusal of the model.

    Args:
        files: of the model.
        part: which of them, as they are called in a sentence.
        quantised: the method by which its weights are quantised.
    """
    asked = f"The model “{files.name}” was to be loaded."

    def unreadable(found: str) -> ModelError:
        return ModelFormatError(
            asked=asked,
            found=f"transformers could not load {part}: {damage_of(files.folder) or found}.",
            action=_COMPLETE_COPY,
        )

    def unrunnable(found: str) -> ModelError:
        return ModelError(
            asked=asked,
            found=f"Its weights are quantised by {quantised}, and cannot be run here: {found}.",
            action="Install the library that is named, or choose a model whose weights are "
            "not quantised.",
        )

    refusal: Callable[[str], ModelError] = unreadable if quantised is None else unrunnable
    return foreign_files(refusal)


def _require_causal(files: ModelFiles, config: PreTrainedConfig) -> None:
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelFormatError(
            asked=f"The model “{files.name}” was to be loaded.",
            found="It is not a causal language model: transformers has none of the kind "
            f"“{config.model_type}”.",
            action="Choose a decoder model for text generation.",
        )


def _require_promised(files: ModelFiles, config: PreTrainedConfig, quantised: str | None) -> None:
    """Refuse a configuration that asks for more than the files hold, before it is allocated."""
    facts = facts_of(files)
    with torch.device("meta"):
        outline = AutoModelForCausalLM.from_config(config)
    numbers = sum(parameter.numel() for parameter in outline.parameters())
    stored = facts.parameters or 0
    if quantised is not None:
        stored = max(stored, _PACKED_IN_A_BYTE * facts.weight_bytes)
    if numbers > stored + _HARMLESS:
        raise ModelFormatError(
            asked=f"The model “{files.name}” was to be loaded.",
            found=f"Its config.json describes a model of {numbers:,} numbers; its files hold "
            f"{stored:,}. The others would be random.",
            action="Take a complete copy of the model.",
        )
    needed = sum(buffer.nbytes for buffer in outline.buffers())
    present = memory_of("cpu").total
    if needed > present:
        raise ModelTooLargeError(
            asked=f"The model “{files.name}” was to be loaded.",
            found=f"Tables that its config.json asks for take {size_text(needed)}; there are "
            f"{size_text(present)} in all.",
            action="Take a complete copy of the model, or choose a smaller one.",
            needed=needed,
            present=present,
        )


def _quantised_on_the_way(config: PreTrainedConfig) -> dict[str, Any]:
    """Settings for weights that lie unquantised in the files.

    transformers stores none that quanto has quantised; a configuration that names it asks for it to
    be done as they are loaded.
    """
    wanted = getattr(config, "quantization_config", None)
    if not isinstance(wanted, dict) or wanted.get("quant_method") != "quanto":
        return {}
    del config.quantization_config
    return {
        "quantization_config": QuantoConfig(
            weights=wanted.get("weights", "int8"),
            activations=wanted.get("activations"),
            modules_to_not_convert=wanted.get("modules_to_not_convert"),
        )
    }


def refuse_untrained_weights(name: str, info: dict[str, Any]) -> None:
    """Refuse a model some of whose weights are not those of its files.

    Args:
        name: of the model.
        info: what transformers says of its loading.

    Raises:
        ModelFormatError: which they are.
    """
    missing = sorted(info.get("missing_keys") or [])
    mismatched = sorted(key for key, *_ in info.get("mismatched_keys") or [])
    for names, problem in (
        (missing, "not in its files"),
        (mismatched, "of another shape in its files"),
    ):
        if names:
            raise ModelFormatError(
                asked=f"The model “{name}” was to be loaded.",
                found=f"{len(names)} of its weights are {problem} (first: {names[0]}); "
                "they would be random.",
                action="Take a complete copy of the model.",
            )
