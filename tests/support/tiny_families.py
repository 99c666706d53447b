"""The smallest configuration of each architecture that still has what makes it different.

Windows are shorter than the texts of the tests, groups of heads have several members, experts are
more than are used, and each hybrid has a layer of both kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CONTEXT = 512

_ENDS = {"bos_token_id": 0, "eos_token_id": 0}
_LLAMA = _ENDS | {
    "pad_token_id": None,
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT, "initializer_range": 0.3,
}  # fmt: skip
_GPT2 = _ENDS | {
    "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "initializer_range": 0.3,
}  # fmt: skip
_FALCON = _ENDS | {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "multi_query": True,
    "initializer_range": 0.3, "max_position_embeddings": CONTEXT,
}  # fmt: skip
_MAMBA = _ENDS | {
    "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.3,
}  # fmt: skip
_GROUPED = _LLAMA | {"num_key_value_heads": 2}
_HEADS_OF_8 = _GROUPED | {"head_dim": 8}
_WINDOWED = {"sliding_window": 7}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
_LATENT = {  # multi-head latent attention
    "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8, "v_head_dim": 8, "n_routed_experts": 4, "n_group": 1, "topk_group": 1,
    "first_k_dense_replace": 1,
}  # fmt: skip
_DELTA_NET = {
    "layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
_MAMBA_HEADS = {
    "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
}  # fmt: skip

# name: (transformers' model type, what its configuration is given)
ATTENTION: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _GROUPED),
    "llama tied": ("llama", _GROUPED | {"tie_word_embeddings": True}),
    "llama padded": ("llama", _GROUPED | {"vocab_size": 333}),
    "gpt2": ("gpt2", _GPT2),
    "gpt_neox": ("gpt_neox", _LLAMA),
    "gpt_neo": ("gpt_neo", _ENDS | {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "window_size": 7,
        "attention_types": [[["global", "local"], 1]], "max_position_embeddings": CONTEXT,
        "initializer_range": 0.3,
    }),
    "gptj": ("gptj", _GPT2 | {"rotary_dim": 4}),
    "codegen": ("codegen", _GPT2 | {"rotary_dim": 4}),
    "gpt_bigcode, one key head": ("gpt_bigcode", _GPT2 | {"multi_query": True}),
    "opt, offset positions": ("opt", _ENDS | {
        "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "word_embed_proj_dim": 32, "max_position_embeddings": CONTEXT, "init_std": 0.3,
        "pad_token_id": 1,
    }),
    "bloom, alibi": ("bloom", _ENDS | {
        "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3,
    }),
    "falcon": ("falcon", _FALCON),
    "falcon, alibi": ("falcon", _FALCON | {"alibi": True}),
    "mpt, alibi": ("mpt", _ENDS | {
        "d_model": 32, "n_layers": 2, "n_heads": 4, "expansion_ratio": 2,
        "max_seq_len": CONTEXT, "initializer_range": 0.3,
    }),
    "qwen2": ("qwen2", _GROUPED),
    "qwen3": ("qwen3", _HEADS_OF_8),
    "gemma": ("gemma", _HEADS_OF_8),
    "gemma2, soft-capped": ("gemma2", _HEADS_OF_8 | _WINDOWED | {
        "query_pre_attn_scalar": 8, "final_logit_softcapping": 5.0,
        "attn_logit_softcapping": 3.0,
    }),
    "gemma3": ("gemma3_text", _HEADS_OF_8 | _WINDOWED | {
        "query_pre_attn_scalar": 8, "layer_types": ["sliding_attention", "full_attention"],
    }),
    "mistral, windowed": ("mistral", _GROUPED | _WINDOWED),
    "starcoder2": ("starcoder2", _GROUPED | {"sliding_window": None}),
    "starcoder2, windowed": ("starcoder2", _GROUPED | _WINDOWED),
    "phi": ("phi", _LLAMA),
    "phi3": ("phi3", _GROUPED),
    "cohere, scaled logits": ("cohere", _GROUPED | {"logit_scale": 0.25}),
    "cohere2, windowed": ("cohere2", _GROUPED | _WINDOWED | {"logit_scale": 0.25}),
    "granite, scaled logits": ("granite", _GROUPED | {
        "logits_scaling": 4.0, "embedding_multiplier": 2.0,
    }),
    "olmo2": ("olmo2", _GROUPED),
    "exaone4, windowed": ("exaone4", _GROUPED | _WINDOWED | {
        "layer_types": ["sliding_attention", "full_attention"],
    }),
    "smollm3": ("smollm3", _GROUPED),
    "stablelm": ("stablelm", _GROUPED),
    "llama4, attention in blocks": ("llama4_text", _HEADS_OF_8 | {
        "intermediate_size_mlp": 64, "num_local_experts": 2, "attention_chunk_size": 8,
        "no_rope_layers": [1, 0],
    }),
    "mixtral": ("mixtral", _GROUPED | {"num_local_experts": 4}),
    "qwen2_moe": ("qwen2_moe", _GROUPED | _EXPERTS | {
        "num_experts": 4, "shared_expert_intermediate_size": 32,
    }),
    "qwen3_moe": ("qwen3_moe", _HEADS_OF_8 | _EXPERTS | {"num_experts": 4}),
    "gpt_oss": ("gpt_oss", _HEADS_OF_8 | _WINDOWED | {
        "num_local_experts": 4, "num_experts_per_tok": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }),
    "deepseek_v3": ("deepseek_v3", _LLAMA | _LATENT | _EXPERTS),
}  # fmt: skip

RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": ("mamba", _MAMBA),
    "falcon_mamba": ("falcon_mamba", _MAMBA),
    "mamba2": ("mamba2", _MAMBA | {"num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 16}),
    "rwkv": ("rwkv", _ENDS | {
        "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32,
    }),
    "xlstm": ("xlstm", _ENDS | {
        "hidden_size": 32, "num_hidden_layers": 2, "num_heads": 4, "chunk_size": 16,
    }),
    "jamba": ("jamba", _GROUPED | {
        "num_experts": 2, "num_experts_per_tok": 1, "attn_layer_period": 2,
        "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "mamba_d_state": 8, "mamba_dt_rank": 4,
    }),
    "bamba": ("bamba", _GROUPED | _MAMBA_HEADS | {"attn_layer_indices": [1]}),
    "granitemoehybrid": ("granitemoehybrid", _GROUPED | _MAMBA_HEADS | {
        "num_local_experts": 2, "num_experts_per_tok": 1, "shared_intermediate_size": 32,
        "layer_types": ["mamba", "attention"], "position_embedding_type": "rope",
    }),
    "falcon_h1": ("falcon_h1", _GROUPED | _MAMBA_HEADS | {
        "mamba_n_heads": 4, "mamba_d_ssm": 32,
    }),
    "nemotron_h": ("nemotron_h", _HEADS_OF_8 | {
        "mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8, "n_groups": 1,
        "chunk_size": 16, "layers_block_type": ["mamba", "attention"],
    }),
    "zamba2": ("zamba2", _LLAMA | {
        "num_key_value_heads": 4, "mamba_d_state": 8, "mamba_ngroups": 1, "n_mamba_heads": 8,
        "num_mem_blocks": 1, "chunk_size": 16, "layers_block_type": ["mamba", "hybrid"],
    }),
    "recurrent_gemma": ("recurrent_gemma", _LLAMA | {
        "num_key_value_heads": 1, "lru_width": 32, "attention_window_size": 8,
        "num_hidden_layers": 3, "block_types": ["recurrent", "recurrent", "attention"],
    }),
    "lfm2": ("lfm2", _GROUPED | {"layer_types": ["conv", "full_attention"]}),
    "qwen3_next": ("qwen3_next", _HEADS_OF_8 | _EXPERTS | _DELTA_NET | {
        "num_experts": 4, "shared_expert_intermediate_size": 32,
    }),
    "olmo_hybrid": ("olmo_hybrid", _GROUPED | _DELTA_NET),
    "qwen3_5": ("qwen3_5_text", _HEADS_OF_8 | _DELTA_NET),
    "minimax": ("minimax", _HEADS_OF_8 | {
        "num_local_experts": 2, "num_experts_per_tok": 1, "block_size": 16,
        "layer_types": ["linear_attention", "full_attention"],
    }),
}  # fmt: skip

# Layers that attend, though not by one weight for each token.
UNUSUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "deepseek_v4, compressed keys": ("deepseek_v4", _LLAMA | _EXPERTS | {
        "num_key_value_heads": 1, "head_dim": 8, "q_lora_rank": 16, "o_groups": 2,
        "o_lora_rank": 8, "n_routed_experts": 4, "n_shared_experts": 1, "sliding_window": 7,
        "layer_types": ["sliding_attention", "compressed_sparse_attention"],
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 16},
        "index_n_heads": 2, "index_head_dim": 8, "index_topk": 16, "hc_mult": 2,
        "mlp_layer_types": ["moe", "moe"], "partial_rotary_factor": 0.5,
    }),
    "hrm_text, layers run again": ("hrm_text", _LLAMA | {
        "head_dim": 8, "H_cycles": 2, "L_cycles": 3, "initializer_range": 0.1,
    }),
}  # fmt: skip

FAMILIES = ATTENTION | RECURRENT | UNUSUAL

LOOPED = {"hrm_text, layers run again"}

# How far transformers' own cache reproduces one full pass, where not in any chunks.
STEPS_ONLY = {"mamba", "falcon_mamba", "jamba", "minimax"}
NO_CACHE = {"xlstm", "zamba2", "nemotron_h", "recurrent_gemma"}

_ALL, _IN_WINDOW = "all", "window"
# What the layers of models with windows and blocks see, as their configurations above have it.
SEEN: dict[str, tuple[str, str]] = {
    "mistral, windowed": (_IN_WINDOW, _IN_WINDOW),
    "gemma2, soft-capped": (_IN_WINDOW, _ALL),
    "gemma3": (_IN_WINDOW, _ALL),
    "llama4, attention in blocks": ("blocks", _ALL),
    "exaone4, windowed": (_IN_WINDOW, _ALL),
    "gpt_oss": (_IN_WINDOW, _ALL),
    "gpt_neo": (_ALL, _IN_WINDOW),
}
_FIRST: dict[str, Callable[[int], int]] = {
    _ALL: lambda i: 0,
    _IN_WINDOW: lambda i: max(0, i - 6),
    "blocks": lambda i: i - i % 8,
}


def first_keys(family: str) -> list[Callable[[int], int]]:
    """For each layer, the first key that the row at a position can see."""
    return [_FIRST[kind] for kind in SEEN[family]]
