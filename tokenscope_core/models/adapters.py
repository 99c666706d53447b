"""PEFT adapters put onto the model they were trained on."""

from __future__ import annotations

import importlib.util

import torch
from transformers import PreTrainedModel

from tokenscope_core.errors import ModelError, ModelFormatError
from tokenscope_core.failures import MalformedError
from tokenscope_core.models.files.facts import quantisation_of
from tokenscope_core.models.files.formats.adapters import ADAPTER_WEIGHTS, JOINT
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.foreign import foreign_files

_LIBRARY = "peft"


def put_on(model: PreTrainedModel, files: ModelFiles) -> PreTrainedModel:
    """The same model with an adapter's changes in its weights.

    They are added to the weights once and not computed beside them at every step: in float32 the
    logits are those of peft up to rounding, and everything that reads the model finds its own
    layers.

    Args:
        model: the base, as loaded; it is changed.
        files: of the adapter on it.

    Raises:
        ModelError: peft is not installed, or the base's weights are quantised.
        ModelFormatError: the adapter does not fit the base.
    """
    assert files.adapter is not None and files.base is not None
    adapter = files.adapter
    asked = f"The adapter “{adapter.name}” was to be put onto “{files.base.name}”."
    if importlib.util.find_spec(_LIBRARY) is None:
        raise ModelError(
            asked=asked,
            found=f"What reads adapters is not installed: {_LIBRARY}.",
            action='Run: pip install "tokenscope-code[adapters]"',
        )
    quantised = quantisation_of(files.base)
    if quantised is not None:
        raise ModelError(
            asked=asked,
            found=f"The base's weights are quantised by {quantised}: added to them, the adapter's "
            "would be rounded to their few levels.",
            action=f"Name the unquantised model with it: {adapter.name}{JOINT}BASE",
        )

    def refused(found: str) -> ModelError:
        return ModelFormatError(
            asked=asked,
            found=f"peft could not do it: {found}.",
            action="Name the very model that the adapter was trained on: "
            f"{adapter.name}{JOINT}BASE",
        )

    with foreign_files(refused):
        from peft import PeftModel
        from peft.utils.save_and_load import get_peft_model_state_dict
        from safetensors.torch import load_file

        adapted = PeftModel.from_pretrained(model, str(adapter))
        held = get_peft_model_state_dict(adapted)
        _require_all(load_file(adapter / ADAPTER_WEIGHTS), held)
        merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    # transformers would still ask peft about it.
    for name in ("peft_config", "_hf_peft_config_loaded"):
        if name in vars(merged):
            delattr(merged, name)
    return merged


def _require_all(stored: dict[str, torch.Tensor], held: dict[str, torch.Tensor]) -> None:
    """Refuse where a number of the file has no place in the model, or a place has no number."""
    lost, untrained = sorted(set(stored) - set(held)), sorted(set(held) - set(stored))
    for names, said in ((lost, "find no place in it"), (untrained, "are not in its file")):
        if names:
            raise MalformedError(f"{len(names)} of its weights {said} (first: {names[0]})")
    other = [name for name, tensor in stored.items() if tensor.shape != held[name].shape]
    if other:
        raise MalformedError(f"{len(other)} of its weights have another shape (first: {other[0]})")
