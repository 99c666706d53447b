"""Folders of PEFT adapters, judged by their files alone: what they change, and of which model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ModelFormatError
from tokenscope_core.failures import reason_of
from tokenscope_core.models.files.json_files import read_object
from tokenscope_core.models.files.weight_files import Weights, read_header

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# A model and what is put onto it, named together: ADAPTER+BASE.
JOINT = "+"
_PICKLED = "adapter_model.bin"
_CONFIG_LIMIT = 4 * 1024 * 1024
# These put made-up tokens before the text: there would be positions that stand for nothing.
_VIRTUAL_TOKENS = {
    "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "CARTRIDGE", "CPT",
    "ADAPTION_PROMPT",
}  # fmt: skip
# peft imports the module that stands there by name.
_IMPORTS = "megatron_config"


def is_adapter(folder: Path) -> bool:
    """Whether a folder is an adapter's and no model's own."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def base_written(folder: Path) -> str:
    """What an adapter calls the model it was trained on; empty where it does not say."""
    try:
        config = read_object(folder / ADAPTER_CONFIG, limit=_CONFIG_LIMIT)
    except (OSError, ValueError):
        return ""  # whoever opens it says what is wrong with it
    named = config.get("base_model_name_or_path")
    return named.strip() if isinstance(named, str) else ""


def method_of(folder: Path) -> str:
    """The method of an adapter, such as LORA; empty where it does not say."""
    try:
        return _method(read_object(folder / ADAPTER_CONFIG, limit=_CONFIG_LIMIT))
    except (OSError, ValueError):
        return ""


def _method(config: Mapping[str, Any]) -> str:
    named = config.get("peft_type")
    return named if isinstance(named, str) else ""


def require_adapter(name: str, folder: Path) -> Weights:
    """What an adapter holds, after checking that it can be put onto a model.

    Raises:
        ModelFormatError: what it lacks, or why its method cannot be shown.
    """

    def refuse(found: str, action: str = "Take a complete copy of the adapter.") -> Exception:
        return ModelFormatError(
            asked=f"The adapter “{name}” was to be opened.", found=found, action=action
        )

    try:
        config = read_object(folder / ADAPTER_CONFIG, limit=_CONFIG_LIMIT)
    except FileNotFoundError:
        raise refuse(f"It has no {ADAPTER_CONFIG}.") from None
    except ValueError as error:
        raise refuse(f"Its {ADAPTER_CONFIG} {reason_of(error)}.") from error
    method = _method(config)
    if method in _VIRTUAL_TOKENS:
        raise refuse(
            f"Its method, {method}, puts trained states in the place of tokens: positions that "
            "stand for no text.",
            "Choose an adapter that changes weights, such as LoRA, DoRA or IA3.",
        )
    if config.get(_IMPORTS):
        raise refuse(
            f"Its {ADAPTER_CONFIG} names a module to be imported ({_IMPORTS}).",
            "Save it without Megatron's settings, or merge it into its base model.",
        )
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file():
        if (folder / _PICKLED).is_file():
            raise refuse(
                f"Its weights are pickled ({_PICKLED}): such a file can run code when it is read, "
                "and is never opened here.",
                'Convert it once, where you trust it: python -c "import torch; from '
                "safetensors.torch import save_file as s; "
                f"s(torch.load('{_PICKLED}', weights_only=True), '{ADAPTER_WEIGHTS}')\"",
            )
        raise refuse(f"It lacks {ADAPTER_WEIGHTS}.")
    try:
        return read_header(weights)
    except ValueError as error:
        raise refuse(f"{reason_of(error)}.") from error
