"""What a model can do is tried on a small copy of it, remembered, and checked on the model."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import tiny_families
import tiny_models
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

import tokenscope_core as ts
from tokenscope_core.models.attention_layers import layout_of
from tokenscope_core.models.trial import findings, records
from tokenscope_core.models.trial.full_trial import find_reading, head_is_apart
from tokenscope_core.models.trial.records import Known, TrialRecords
from tokenscope_core.models.trial.shrunk import shrunk_copies

# Of what size transformers makes a model where nothing is said: 16 million to 671 billion numbers.
AS_RELEASED = (
    "llama", "gpt2", "gpt_neox", "bloom, alibi", "falcon", "qwen2", "qwen3", "gemma",
    "gemma2, soft-capped", "gemma3", "mistral, windowed", "phi3", "starcoder2", "smollm3",
    "granite, scaled logits", "cohere, scaled logits", "mixtral", "qwen3_moe", "gpt_oss",
    "deepseek_v3", "llama4, attention in blocks", "falcon_h1", "qwen3_next", "mamba2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are kept, with nothing known yet."""
    monkeypatch.setattr(findings, "_records", TrialRecords())
    monkeypatch.setattr(records, "records_folder", lambda kind: tmp_path / kind)
    return tmp_path / "trials"


@pytest.mark.parametrize("family", tiny_families.FAMILIES)
def test_what_is_found_is_what_trying_everything_on_the_model_finds(family: str) -> None:
    model, again = (tiny_models.model(family) for _ in range(2))
    cache = find_reading(again, family).cache
    expected = (cache, head_is_apart(again, cache), layout_of(again, 300).facts)
    for _ in ("tried", "remembered"):
        found = findings.find_out(model, family)
        assert (found.reading.cache, found.head_apart, found.attention) == expected


@pytest.mark.parametrize("family", AS_RELEASED)
def test_a_copy_of_a_model_as_large_as_they_are_released_stands_for_it(family: str) -> None:
    with torch.device("meta"):
        large = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(tiny_families.FAMILIES[family][0])
        )
    known = findings._tried_on_a_copy(large)
    assert known is not None
    tiny = tiny_models.language_model(family).capabilities
    assert (known.cache, known.head_apart) == (tiny.cache, tiny.head_apart)
    small = next(shrunk_copies(large))
    assert small.num_parameters() < min(20e6, large.num_parameters())
    kinds = {type(module) for module in large.modules()}
    assert {type(module) for module in small.modules()} == kinds


def passes(model: PreTrainedModel) -> list[int]:
    """The length of each text that a model's body is given from now on."""
    lengths: list[int] = []
    body = model.get_input_embeddings()
    body.register_forward_hook(lambda _module, args, _output: lengths.append(args[0].shape[-1]))
    return lengths


@pytest.mark.usefixtures("folder")
def test_a_model_of_a_known_construction_reads_one_short_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = tiny_models.model("llama")
    lengths = passes(first)
    findings.find_out(first, "tiny")
    assert len(lengths) == 3, "one pass and one step, and one for its attention"
    monkeypatch.setattr(findings, "_records", TrialRecords())  # as the next process begins
    monkeypatch.setattr(findings, "shrunk_copies", lambda _model: pytest.fail("tried again"))
    other = tiny_models.model("llama", seed=1)
    lengths = passes(other)
    found = findings.find_out(other, "tiny")
    assert sorted(lengths) == [1, 9]
    assert found.attention.heads == (4, 4)
    assert found.reading.rounding.most < 1e-4


def test_a_model_that_is_not_as_others_of_its_kind_is_tried_in_full() -> None:
    model = tiny_models.model("mamba")
    findings._records.put(model, Known("chunks", head_apart=True, attention=None))
    assert findings.find_out(model, "tiny").reading.cache == "steps"
    known = findings._records.get(model)
    assert known is not None
    assert known.cache == "steps"


def test_weights_that_give_no_numbers_are_found_on_the_model_itself() -> None:
    model = tiny_models.model("llama")
    findings.find_out(model, "tiny")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    with pytest.raises(ts.ModelError, match="not a number"):
        findings.find_out(model, "tiny")


@pytest.mark.parametrize(
    "change", [{"hidden_act": "relu"}, {"num_key_value_heads": 4}, {"max_position_embeddings": 64}]
)
def test_what_is_known_of_one_configuration_says_nothing_of_another(
    change: dict[str, object],
) -> None:
    kind, settings = tiny_families.FAMILIES["llama"]
    findings.find_out(tiny_models.model("llama"), "tiny")
    other = tiny_models.configured(kind, settings | change)
    assert findings._records.get(other) is None
    assert findings._records.get(tiny_models.model("llama").bfloat16()) is None


@pytest.mark.parametrize("damage", [b"{", b'{"cache": "branches"}', b"[]", b"null"])
def test_a_damaged_record_is_passed_over(damage: bytes, folder: Path) -> None:
    model = tiny_models.model("llama")
    findings.find_out(model, "tiny")
    (record,) = folder.iterdir()
    sound = record.read_bytes()
    record.write_bytes(damage)
    assert TrialRecords().get(model) is None
    record.write_bytes(sound.replace(b'"branches"', b'"chunks"'))
    assert TrialRecords().get(model) is None, "it is not what was written"
    record.write_bytes(sound)
    assert TrialRecords().get(model) == findings._records.get(model)


def test_a_folder_that_cannot_be_written_costs_a_trial_a_process(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file in the way")
    with caplog.at_level(logging.WARNING):
        found = findings.find_out(tiny_models.model("llama"), "tiny")
    assert found.reading.cache == "branches"
    assert "not kept" in caplog.text
    assert findings._records.get(tiny_models.model("llama")) is not None


def test_the_oldest_records_make_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_MOST", 3)
    kind, settings = tiny_families.FAMILIES["llama"]
    known = Known("branches", head_apart=True, attention=None)
    models = [
        tiny_models.configured(kind, settings | {"max_position_embeddings": 64 + i})
        for i in range(5)
    ]
    for model in models:
        findings._records.put(model, known)
    assert len(list(folder.iterdir())) == 3
    kept = [TrialRecords().get(model) is not None for model in models]
    assert kept == [False, False, True, True, True]


def test_a_copy_leaves_the_random_generator_alone() -> None:
    model = tiny_models.model("llama")
    before = torch.random.get_rng_state()
    small = next(shrunk_copies(model))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = torch.cat([parameter.flatten() for parameter in small.parameters()])
    assert weights.std() > 0.05, "states are told apart"


def test_a_model_whose_forward_was_replaced_is_not_remembered(folder: Path) -> None:
    model = tiny_models.model("llama")
    original = model.forward
    model.forward = lambda **settings: original(**settings)
    assert not list(shrunk_copies(model))
    found = findings.find_out(model, "tiny")
    assert not found.head_apart
    assert not folder.exists()
