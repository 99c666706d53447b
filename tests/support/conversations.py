"""Chat templates, and a model with one."""

from __future__ import annotations

import copy

import tiny_models
from transformers import PreTrainedTokenizerFast

from tokenscope_core import (
    LanguageModel,
    Message,
)
from tokenscope_core.models.language_model import describe

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As Llama 2: begins with BOS, refuses what it was not trained on, trims.
STRICT = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}"
    "{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
SAID = (
    Message("system", "Be brief.\r\n"),
    Message("user", "é 👋?"),
    Message("assistant", " ok"),
    Message("user", "def f(x):\n"),
)


def chat_model(
    template: str | None, tokenizer: PreTrainedTokenizerFast | None = None
) -> LanguageModel:
    tokenizer = copy.deepcopy(tokenizer or tiny_models.tokenizer())
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")]
    model.generation_config.eos_token_id = ends
    return describe(model, tokenizer, tiny_models.files("chatty"))
