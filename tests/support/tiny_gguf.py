"""A random llama of a few thousand weights as a GGUF file, written by the format's own library."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import tiny_models

LAYERS, WIDTH, INNER, HEADS, SHARED = 2, 64, 96, 4, 2
# Tensors that are stored as transformers has them; queries and keys are in another order of rows.
NAMES = {
    "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
} | {
    f"blk.{layer}.{theirs}.weight": f"model.layers.{layer}.{ours}.weight"
    for layer in range(LAYERS)
    for theirs, ours in (
        ("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm"),
        ("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"),
        ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
    )
}  # fmt: skip


def write(path: Path, kind: str, architecture: str = "llama") -> Path:
    """Write the same random weights, quantised in that kind, and the tests' tokenizer."""
    tokenizer = json.loads(tiny_models.tokenizer().backend_tokenizer.to_str())["model"]
    tokens = sorted(tokenizer["vocab"], key=tokenizer["vocab"].get)
    merges = [" ".join(m) if isinstance(m, list) else m for m in tokenizer["merges"]]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(tiny_models.CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(SHARED)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token == "<|endoftext|>" else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for name, array in _arrays(len(tokens)).items():
        if array.ndim == 1:
            writer.add_tensor(name, array)
            continue
        quantised = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quantize(array, quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _arrays(vocabulary: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, 0.3, (rows, columns)).astype(np.float32)

    def norm() -> np.ndarray:
        return random.normal(1, 0.1, WIDTH).astype(np.float32)

    shared = WIDTH // HEADS * SHARED
    arrays = {
        "token_embd.weight": matrix(vocabulary, WIDTH), "output_norm.weight": norm(),
        "output.weight": matrix(vocabulary, WIDTH),
    }  # fmt: skip
    for layer in range(LAYERS):
        arrays |= {
            f"blk.{layer}.{name}.weight": array
            for name, array in (
                ("attn_norm", norm()), ("ffn_norm", norm()),
                ("attn_q", matrix(WIDTH, WIDTH)), ("attn_k", matrix(shared, WIDTH)),
                ("attn_v", matrix(shared, WIDTH)), ("attn_output", matrix(WIDTH, WIDTH)),
                ("ffn_gate", matrix(INNER, WIDTH)), ("ffn_up", matrix(INNER, WIDTH)),
                ("ffn_down", matrix(WIDTH, INNER)),
            )
        }  # fmt: skip
    return arrays
