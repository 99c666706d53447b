"""What a model is estimated to need, and when it is refused for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
from transformers import DynamicCache

from tokenscope_core import Message, ModelChoice, Request, load_model
from tokenscope_core.models.files.facts import ModelFacts, facts_of
from tokenscope_core.models.files.memory_need import memory_need, shortage, size_text, tokens_of
from tokenscope_core.models.files.model_files import locate

BILLION = 10**9


def facts(**changes: object) -> ModelFacts:
    """A model of a billion parameters in float32."""
    values: dict[str, object] = {
        "architecture": "LlamaForCausalLM", "parameters": BILLION, "weight_bytes": 4 * BILLION,
        "precision": "float32", "layers": 10, "heads": 8, "key_value_heads": 8, "width": 800,
        "vocabulary": 1000, "context": 1000, "cache_bytes_per_token": 1_000_000,
    }  # fmt: skip
    return ModelFacts(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [None, "bfloat16", "float32"])
@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_the_estimate_is_what_the_loaded_model_takes(
    family: str, dtype: str | None, tmp_path: Path
) -> None:
    import torch

    tiny_models.model(family).save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    need = memory_need(facts_of(locate(tmp_path)), dtype=dtype, tokens=40)
    model = load_model(tmp_path, dtype=getattr(torch, dtype) if dtype else None).model
    assert need.weights == sum(p.numel() * p.element_size() for p in model.parameters())
    cache = DynamicCache()
    model(torch.zeros((1, 40), dtype=torch.long), past_key_values=cache)
    assert need.cache == sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


def test_quantised_weights_stay_as_they_are() -> None:
    quantised = facts(weight_bytes=BILLION // 2, quantised="gptq")
    assert memory_need(quantised, dtype="float32").weights == BILLION // 2


def test_without_a_count_of_parameters_the_files_tell() -> None:
    assert memory_need(facts(parameters=None), dtype="float16").weights == 2 * BILLION


def test_the_cache_ends_with_the_context() -> None:
    need = memory_need(facts(), tokens=5000)
    assert need.tokens == 1000
    assert need.cache == need.cache_when_full == BILLION


def test_what_is_not_stated_is_missing() -> None:
    need = memory_need(facts(cache_bytes_per_token=None, context=None), tokens=10)
    assert need.cache is None
    assert need.cache_when_full is None
    assert need.total == 4 * BILLION


def test_a_request_is_as_long_as_all_its_texts() -> None:
    assert tokens_of(Request("x" * 400, suffix="y" * 40, max_new_tokens=7)) == 117
    assert tokens_of(Request("", messages=(Message("user", "é" * 20),), max_new_tokens=1)) == 11


def test_what_fits_is_not_refused() -> None:
    assert shortage(ModelChoice("m"), facts(), tokens=1, present=5 * BILLION) is None


@pytest.mark.parametrize(
    ("dtype", "tokens", "present", "advice", "fitting"),
    [
        (None, 10, 3 * BILLION, "Choose bfloat16: it then needs 2.0 GB", "bfloat16"),
        (None, 10, BILLION, "up to about 0.5 billion parameters", None),
        ("float16", 10, BILLION, "up to about 0.5 billion parameters", None),
        (None, 1000, 9 * BILLION // 2, "fewer tokens", "bfloat16"),
    ],
)
def test_a_refusal_says_what_is_needed_what_there_is_and_what_would_fit(
    dtype: str | None, tokens: int, present: int, advice: str, fitting: str | None
) -> None:
    error = shortage(ModelChoice("org/big", dtype), facts(), tokens=tokens, present=present)
    assert error is not None
    assert "org/big" in error.asked
    assert f"{size_text(present)} are free" in error.found
    assert advice in error.action
    assert error.fitting_dtype == fitting
    assert error.needed > error.present == present


def test_the_shipped_model_fits_a_small_machine() -> None:
    shipped = facts_of(locate())
    request = Request("x" * 4000, max_new_tokens=1024)
    need = memory_need(shipped, tokens=tokens_of(request))
    assert need.total < 100_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7 B"), (1500, "1.5 kB"), (45_300_000, "45.3 MB"), (1_234 * BILLION, "1,234.0 GB")],
)
def test_sizes_are_written_as_people_say_them(count: int, text: str) -> None:
    assert size_text(count) == text
