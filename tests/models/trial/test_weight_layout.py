"""Weights that lie by columns are the same weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch

import tokenscope_core as ts
from tokenscope_core.models import weight_layout
from tokenscope_core.models.language_model import describe

PROMPT = "def add(a, b):\n    return a + b\n"
FAMILIES = ("llama", "llama tied", "gemma2, soft-capped", "mamba", "mixtral", "falcon")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(weight_layout, "records_folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr(weight_layout, "_LEAST_BYTES", 0)
    weight_layout.by_columns.cache_clear()
    yield tmp_path / "layouts"
    weight_layout.by_columns.cache_clear()


@pytest.fixture
def _faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_layout, "_ratio", lambda rows, columns: 0.5)


@pytest.mark.usefixtures("_faster")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_laid_out_anew_writes_what_it_wrote(family: str) -> None:
    model, before = tiny_models.model(family), tiny_models.model(family)
    held = model.get_memory_footprint()
    assert weight_layout.lay_out(model) > 0
    assert model.get_memory_footprint() == held
    assert weight_layout.lay_out(model) == 0, "they lie so already"
    for name, weight in before.named_parameters():
        assert torch.equal(model.get_parameter(name), weight), name
    lms = [
        dataclasses.replace(
            describe(each, tiny_models.tokenizer(), tiny_models.files(family)),
            end_ids=frozenset(),
        )
        for each in (model, before)
    ]
    traces = [ts.generate(lm, ts.Request(PROMPT, 24)) for lm in lms]
    assert traces[0].token_ids.tolist() == traces[1].token_ids.tolist()
    assert traces[0].key == traces[1].key
    for name in ("logprob", "entropy", "varentropy"):
        np.testing.assert_allclose(traces[0].column(name), traces[1].column(name), atol=2e-5)


@pytest.mark.usefixtures("_faster")
def test_an_embedding_and_a_head_that_are_one_stay_one() -> None:
    model = tiny_models.model("llama tied")
    weight_layout.lay_out(model)
    embedding, head = model.get_input_embeddings().weight, model.lm_head.weight
    assert embedding is head
    assert head.stride() == (1, head.shape[0])


@pytest.mark.usefixtures("_faster")
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64])
def test_other_precisions_are_left_alone(precision: torch.dtype) -> None:
    assert weight_layout.lay_out(tiny_models.model("llama").to(precision)) == 0


def test_where_rows_are_as_fast_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_layout, "_ratio", lambda rows, columns: 0.95)
    model = tiny_models.model("llama")
    assert weight_layout.lay_out(model) == 0
    assert all(weight.is_contiguous() for weight in model.parameters())


def test_a_machine_is_measured_once_a_shape(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_layout, "_MEASURED_BYTES", 4096)
    first = weight_layout.by_columns(64, 16, 1)
    (record,) = folder.iterdir()
    assert b"ratio" in record.read_bytes()
    weight_layout.by_columns.cache_clear()  # as the next process begins
    monkeypatch.setattr(weight_layout, "_ratio", lambda *_: pytest.fail("measured again"))
    assert weight_layout.by_columns(64, 16, 1) == first


def test_a_model_that_a_cache_holds_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_layout, "_LEAST_BYTES", 16 * 1024 * 1024)
    monkeypatch.setattr(weight_layout, "_ratio", lambda *_: pytest.fail("measured"))
    assert weight_layout.lay_out(tiny_models.model("llama")) == 0
