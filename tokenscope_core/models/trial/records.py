"""What was found by trying models of one construction, remembered for the next that is loaded.

It goes by everything a finding can depend on but the weights: the class, the configuration, the
precision, and the versions of the libraries that do the computing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from tokenscope_core.models.attention_layers import AttentionFacts
from tokenscope_core.models.cache_reader import CacheUse, input_device
from tokenscope_core.models.files.json_records import read_record, records_folder, write_record

# Raised when trials come to find something else: older records are then passed over.
_VERSION = 1
_MOST = 256
# What a configuration says of its own file.
_NOT_OF_THE_CONSTRUCTION = ("_name_or_path", "transformers_version", "architectures")


@dataclass(frozen=True, slots=True)
class Known:
    """What models of one construction were found to be able to do.

    `attention` is None where it has to be asked of each model in memory.
    """

    cache: CacheUse
    head_apart: bool
    attention: AttentionFacts | None


class TrialRecords:
    """Findings by the construction of models; in memory, and where it can be written on disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}

    def get(self, model: PreTrainedModel) -> Known | None:
        """What was found of such models; None where none was tried."""
        key = _key_of(model)
        with self._lock:
            known = self._known.get(key)
        if known is None and (written := read_record(_path(key))) is not None:
            known = _read(written)
        return known

    def put(self, model: PreTrainedModel, known: Known) -> None:
        """Remember what was found of a model."""
        key = _key_of(model)
        with self._lock:
            if self._known.get(key) == known:
                return
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = known
        write_record(_path(key), _written(known), most=_MOST)


def _key_of(model: PreTrainedModel) -> str:
    config = model.config.to_dict()
    for name in _NOT_OF_THE_CONSTRUCTION:
        config.pop(name, None)
    construction = {
        "version": _VERSION,
        "libraries": [torch.__version__, transformers.__version__],
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "precision": str(model.dtype),
        "device": input_device(model).type,
        "attention": model.config._attn_implementation,
        "configuration": config,
    }
    text = json.dumps(construction, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _path(key: str) -> Path:
    return records_folder("trials") / f"{key}.json"


def _written(known: Known) -> dict[str, Any]:
    facts = known.attention
    attention = None
    if facts is not None:
        refused = [list(pair) for pair in facts.refused]
        attention = [facts.way, list(facts.layers), list(facts.heads), refused]
    return {"cache": known.cache, "head_apart": known.head_apart, "attention": attention}


def _read(written: dict[str, Any]) -> Known | None:
    """None where another version of this program wrote it."""
    match written:
        case {
            "cache": "branches" | "chunks" | "steps" | "none" as cache,
            "head_apart": bool(apart),
            "attention": attention,
        }:
            match attention:
                case None:
                    return Known(cache, apart, None)
                case ["interface" | "none" as way, [*layers], [*heads], [*refused]]:
                    pairs = tuple((int(layer), str(why)) for layer, why in refused)
                    facts = AttentionFacts(way, tuple(layers), tuple(heads), pairs)
                    return Known(cache, apart, facts)
    return None
