"""The recipe's settings: `settings.toml` as frozen values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS_FILE = Path(__file__).with_name("settings.toml")
BUILD = Path(__file__).parents[1] / "build"
SHIPPED = Path(__file__).parents[1] / "tokenscope-py"


@dataclass(frozen=True)
class Corpus:
    """Which files enter the corpus and on which side of the split."""

    heldout_per_mille: int
    near_duplicate: float
    split_together: float
    max_file_bytes: int


@dataclass(frozen=True)
class Tokenizer:
    """Vocabulary size, and how many bytes of training text the merges are learned from."""

    vocab_size: int
    train_bytes: int


@dataclass(frozen=True)
class Packing:
    """Row length in tokens, share of documents in fill-in-the-middle order, copying exercises."""

    context: int
    fim_rate: float
    copying_share: float
    copying_steps: int
    seed: int


@dataclass(frozen=True)
class Size:
    """One named model with the training run that suits it."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    batch_rows: int
    micro_rows: int
    matrix_lr: float
    other_lr: float
    weight_decay: float
    warmup_steps: int
    minutes: float
    decay_share: float
    device: str


@dataclass(frozen=True)
class Settings:
    """Everything in `settings.toml`, with one size chosen."""

    corpus: Corpus
    tokenizer: Tokenizer
    packing: Packing
    size: Size


def from_dict(values: dict[str, Any]) -> Settings:
    """The inverse of `dataclasses.asdict`, as a checkpoint keeps its settings."""
    return Settings(
        Corpus(**values["corpus"]),
        Tokenizer(**values["tokenizer"]),
        Packing(**values["packing"]),
        Size(**values["size"]),
    )


def load(size: str = "small", path: Path = SETTINGS_FILE) -> Settings:
    """Read the settings and choose a size; raises `ValueError` naming the sizes there are."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if size not in table["sizes"]:
        raise ValueError(
            f"size {size!r} is not in {path.name}: choose from {sorted(table['sizes'])}"
        )
    return from_dict({**table, "size": table["sizes"][size]})
