"""Small adapters with random weights, as peft saves them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from peft import PeftConfig, get_peft_model
from transformers import AutoModelForCausalLM


def write_adapter(folder: Path, base: Path, config: PeftConfig, named: str | None = None) -> Path:
    """An adapter with random weights of some size, as peft saves it."""
    torch.manual_seed(1)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            centre = 1.0 if "ia3" in name or "magnitude" in name else 0.0
            torch.nn.init.normal_(parameter, centre, 0.3)
    adapted.save_pretrained(folder)
    path = folder / "adapter_config.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"base_model_name_or_path": named or str(base)}))
    return folder
