"""What a model's files say about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from tokenscope_core.models.files.facts import context_of, facts_of
from tokenscope_core.models.files.model_files import locate


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_the_facts_are_those_of_the_loaded_model(family: str, tmp_path: Path) -> None:
    model = tiny_models.model(family)
    model.save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    facts = facts_of(locate(tmp_path))
    assert facts.parameters == sum(weight.numel() for weight in model.parameters())
    assert facts.weight_bytes == 4 * facts.parameters
    assert facts.vocabulary == model.get_output_embeddings().weight.shape[0]
    assert (facts.layers, facts.heads, facts.width) == (2, 4, 32)
    assert facts.context == tiny_models.CONTEXT
    assert facts.cache_bytes_per_token == 2 * 2 * (facts.key_value_heads or 0) * 8 * 4


def test_reading_the_facts_needs_no_torch(tmp_path: Path) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    script = f"""
import sys
from tokenscope_core.models.files.facts import context_of, facts_of
from tokenscope_core.models.files.model_files import locate
facts_of(locate({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2]
    )


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024, "rope_scaling": None}, 1024),
        ({}, None),
        # Phi-3 as it was published, and as transformers writes it now.
        (
            {
                "max_position_embeddings": 131_072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "su", "long_factor": [1.0]},
            },
            4096,
        ),
        (
            {
                "max_position_embeddings": 131_072,
                "rope_parameters": {
                    "full_attention": {
                        "rope_type": "longrope",
                        "original_max_position_embeddings": 4096,
                    }
                },
            },
            4096,
        ),
        # These angles stay what they are, however long the text.
        (
            {
                "max_position_embeddings": 131_072,
                "rope_scaling": {"rope_type": "yarn", "original_max_position_embeddings": 32_768},
            },
            131_072,
        ),
    ],
)
def test_the_context_is_what_is_read_with_positions_that_mean_the_same(
    config: dict[str, Any], context: int | None
) -> None:
    assert context_of(config) == context
