"""Write a trained model in the standard Hugging Face layout, all files at once."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM

from . import model as architecture
from . import settings

TRAINING_FILE = "training.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
_KEPT = ("README.md", "evaluation.json")


@dataclass(frozen=True)
class Trained:
    """A model with the record of its training: settings, steps and seconds."""

    model: LlamaForCausalLM
    settings: settings.Settings
    step: int
    seconds: float

    def record(self) -> dict[str, object]:
        """What the model card says about the training."""
        size, packing = self.settings.size, self.settings.packing
        return {
            "settings": asdict(self.settings),
            "steps": self.step,
            "tokens": self.step * size.batch_rows * packing.context,
            "minutes": round(self.seconds / 60, 1),
        }


def load_checkpoint(checkpoint: Path) -> Trained:
    """The model of a training checkpoint, in float32 on the CPU, ready to evaluate."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    chosen = settings.from_dict(state["settings"])
    model = architecture.build(
        chosen.size, chosen.tokenizer.vocab_size, chosen.packing.context, end_id=0, pad_id=1
    )
    model.load_state_dict(state["model"])
    return Trained(model.float().eval(), chosen, state["step"], state["seconds"])


def export(trained: Trained, build: Path, target: Path) -> None:
    """Replace the model in `target`, keeping its card and its evaluation until they are redone.

    `build` is the folder with the tokenizer, the corpus report and the rows it was made from.

    Everything is written beside it first and moved into place, so that a reader sees the old
    model or the new one. The tokenizer is copied byte for byte. Raises `ValueError` if `target`
    has another tokenizer: token ids already recorded elsewhere would change their meaning.
    """
    tokenizer_folder = build / "tokenizer"
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
    trained.model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    trained.model.save_pretrained(staging)
    for name in _TOKENIZER_FILES:
        shutil.copy(tokenizer_folder / name, staging / name)
    for name in _KEPT:
        if (target / name).exists():
            shutil.copy(target / name, staging / name)
    record = trained.record()
    record["corpus_tokens"] = int(np.load(build / "rows.npy", mmap_mode="r").size)
    record["corpus"] = json.loads((build / "corpus" / "corpus.json").read_text(encoding="utf-8"))
    (staging / TRAINING_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for path in staging.iterdir():
        path.chmod(0o644)
    previous = target.with_name(f".{target.name}-previous")
    if target.exists():
        target.replace(previous)
    staging.replace(target)
    shutil.rmtree(previous, ignore_errors=True)
