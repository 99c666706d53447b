"""Model folders that are damaged or mean harm: configurations, tokenizers, indices, headers."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path
from random import Random

from benchmarks.mutations import bytes_mutated, json_mutated
from tokenscope_core import Request, generate, load_model
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.memory_need import memory_need
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.files.sources import source_of
from tokenscope_core.prompts.preview import preview

_SIZES = (0, -1, 2**20, 10**9, 2**31, 2**63, 10**18)
_NESTED = b"[" * 200_000
_TEXT = "def é(a): return '😊'"


@functools.cache
def sound() -> bytes:
    """A folder of a tiny random model in two files of weights, as a ZIP archive."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<|endoftext|>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="20KB")
        PreTrainedTokenizerFast(
            tokenizer_object=backend, eos_token="<|endoftext|>"
        ).save_pretrained(folder)
        return _packed({path.name: path.read_bytes() for path in sorted(folder.iterdir())})


def damaged(blob: bytes, random: Random) -> bytes:
    """With the bytes of one file changed, or the file cut short, lost or nested without end."""
    files = _unpacked(blob)
    name = random.choice(sorted(files))
    match random.randrange(8):
        case 0:
            del files[name]
        case 1:
            files[name] = _NESTED
        case 2:
            files[name] = b""
        case _:
            files[name] = bytes_mutated(files[name], random)
    return _packed(files)


def changed(blob: bytes, random: Random) -> bytes:
    """With other values in one of its JSON files, or in the header of its weights."""
    files = _unpacked(blob)
    name = random.choice(sorted(files))
    if name == "config.json" and random.random() < 0.5:
        config = json.loads(files[name])
        config[random.choice(sorted(config))] = random.choice(_SIZES)
        files[name] = json.dumps(config).encode("ascii")
    elif name.endswith(".json"):
        files[name] = json_mutated(files[name], random)
    else:
        length = int.from_bytes(files[name][:8], "little")
        header = json_mutated(files[name][8 : 8 + length], random)
        files[name] = len(header).to_bytes(8, "little") + header + files[name][8 + length :]
    return _packed(files)


def opened(blob: bytes) -> None:
    """What picking, previewing and running a model takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        folder.mkdir()
        for file, content in _unpacked(blob).items():
            (folder / file).write_bytes(content)
        _ = source_of(str(folder))
        files = locate(folder)
        memory_need(facts_of(files), tokens=10)
        preview(files, Request(_TEXT))
        generate(load_model(files), Request(_TEXT, max_new_tokens=2, candidates=2))


def _packed(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def _unpacked(blob: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
