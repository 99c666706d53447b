"""The architecture: an ordinary Llama, so that every tool that reads one reads this."""

from __future__ import annotations

from transformers import LlamaConfig, LlamaForCausalLM

from .settings import Size


def build(size: Size, vocab_size: int, context: int, end_id: int, pad_id: int) -> LlamaForCausalLM:
    """A freshly initialised model: grouped-query attention, tied embeddings, rotary positions."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=size.hidden_size,
        intermediate_size=size.intermediate_size,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        max_position_embeddings=context,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=end_id,
        eos_token_id=end_id,
        pad_token_id=pad_id,
        initializer_range=0.02,
    )
    return LlamaForCausalLM(config)
