"""What size, trained weights and a real tokenizer could change: SmolLM2 against plain passes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import oracles
import pytest
import torch
from real_model import real_model_folder
from safetensors.torch import load_file, save_file
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.jobs.service import GenerationService

CODE = "def largest(items):\n    best = items[0]\n    for item in items:\n        if item > "
EDITED_LAYERS = range(4, 8)


@pytest.fixture(scope="module")
def folder() -> Path:
    return real_model_folder()


@pytest.fixture(scope="module")
def real(folder: Path) -> ts.LanguageModel:
    return ts.load_model(folder)


@pytest.fixture(scope="module")
def in_half_precision(folder: Path) -> ts.LanguageModel:
    return ts.load_model(folder, dtype=torch.bfloat16)


@pytest.fixture
def edited(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy without the feed-forward output of a few layers, as an edit of a model leaves it."""
    copy = tmp_path / folder.name
    copy.mkdir()
    for file in folder.iterdir():
        if file.name != "model.safetensors" and file.is_file():
            shutil.copy(file, copy)
    weights = load_file(folder / "model.safetensors")
    for layer in EDITED_LAYERS:
        weights[f"model.layers.{layer}.mlp.down_proj.weight"].zero_()
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    yield copy
    shutil.rmtree(copy)


def test_figures_are_those_of_one_pass(real: ts.LanguageModel) -> None:
    trace = ts.generate(real, ts.Request(CODE, 16))
    ids = torch.tensor([trace.token_ids.tolist()])
    with torch.no_grad():
        logits = real.model(ids, use_cache=False).logits[0].double().numpy()
    for position in range(1, len(trace)):
        expected = oracles.metrics_of(logits[position - 1], trace.token_ids[position], 20)
        for name in ("surprisal", "entropy", "varentropy", "margin", "rank", "top_mass"):
            assert trace.column(name)[position] == pytest.approx(expected[name], abs=5e-4), name


def test_greedy_writes_what_generate_writes(real: ts.LanguageModel) -> None:
    ids = torch.tensor([real.encode(CODE)])
    written = real.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16
    )
    trace = ts.generate(real, ts.Request(CODE, 16))
    assert trace.token_ids.tolist() == written[0].tolist()


def test_a_branch_that_changes_nothing_repeats_its_parent(real: ts.LanguageModel) -> None:
    parent = ts.generate(real, ts.Request(CODE, 16, ts.Sampling(temperature=0.8, seed=3)))
    position = parent.prompt_length + 5
    child = ts.fork(real, parent, position, token_id=int(parent.token_ids[position]))
    assert child.token_ids.tolist() == parent.token_ids.tolist()
    np.testing.assert_allclose(child.logprob[1:], parent.logprob[1:], atol=1e-4)


def test_attention_of_a_layer_is_that_of_eager_attention(real: ts.LanguageModel) -> None:
    ids = real.encode(CODE)
    found = ts.attention(real, ids, layers=[20]).weights[0]
    real.model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            output = real.model(torch.tensor([ids]), output_attentions=True, use_cache=False)
    finally:
        real.model.set_attn_implementation("sdpa")
    np.testing.assert_allclose(found, output.attentions[20][0].numpy(), atol=1e-4)


def test_an_edited_copy_is_another_model_to_the_store(
    folder: Path, edited: Path, service: GenerationService
) -> None:
    """Its size is that of the original, and its first and last bytes are."""
    request = ts.Request(CODE, 1)
    traces = [
        service.submit(str(name), request, "tab").wait(WAIT_S).trace for name in (folder, edited)
    ]
    original, other = traces
    assert original is not None
    assert other is not None
    assert original.key != other.key
    assert other.perplexity(0, other.prompt_length) > 2 * original.perplexity(
        0, original.prompt_length
    )


def test_half_precision_says_how_well_it_repeats(in_half_precision: ts.LanguageModel) -> None:
    scored = ts.score(in_half_precision, CODE)
    written = ts.generate(in_half_precision, ts.Request(CODE, 2))
    np.testing.assert_array_equal(written.logprob[: len(scored)], scored.logprob)
    rounding = scored.model.rounding
    assert rounding is not None
    assert 0.001 < rounding.mean < rounding.most < 2
