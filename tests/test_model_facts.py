"""What a model's files say about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models

from tokenscope_core.model_facts import facts_of
from tokenscope_core.model_files import locate


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
from tokenscope_core.model_facts import facts_of
from tokenscope_core.model_files import locate
facts_of(locate({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent.parent)
