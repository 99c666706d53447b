"""Write a trained model in the standard Hugging Face layout, all files at once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM

from . import model as architecture
from .settings import Settings

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
_KEPT = ("README.md", "evaluation.json")


def load_checkpoint(checkpoint: Path, settings: Settings) -> LlamaForCausalLM:
    """The model of a training checkpoint, in float32 on the CPU, ready to evaluate."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = architecture.build(
        settings.size, settings.tokenizer.vocab_size, settings.packing.context, end_id=0, pad_id=1
    )
    model.load_state_dict(state["model"])
    return model.eval()


def export(model: LlamaForCausalLM, tokenizer_folder: Path, target: Path) -> None:
    """Replace the model in `target`, keeping its card and its evaluation.

    Everything is written beside it first and moved into place, so that a reader sees the old
    model or the new one. The tokenizer is copied byte for byte. Raises `ValueError` if `target`
    has another tokenizer: token ids already recorded elsewhere would change their meaning.
    """
    existing = target / "tokenizer.json"
    wanted = tokenizer_folder / "tokenizer.json"
    if existing.exists() and existing.read_bytes() != wanted.read_bytes():
        raise ValueError(
            f"{existing} differs from {wanted}: a shipped vocabulary does not change; "
            "export to another folder"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    staging.chmod(0o755)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.float().save_pretrained(staging)
    for name in _TOKENIZER_FILES:
        shutil.copy(tokenizer_folder / name, staging / name)
    for name in _KEPT:
        if (target / name).exists():
            shutil.copy(target / name, staging / name)
    previous = target.with_name(f".{target.name}-previous")
    if target.exists():
        target.replace(previous)
    staging.replace(target)
    shutil.rmtree(previous, ignore_errors=True)
