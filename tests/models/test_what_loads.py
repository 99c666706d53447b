"""Which models load: those whose every weight is found, whatever their configuration calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracles
import pytest
import tiny_families
import tiny_models
import torch
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    CLIPConfig,
    CLIPModel,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlamaForSequenceClassification,
    PreTrainedModel,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
)

import tokenscope_core as ts
from tokenscope_core.models.files import hub
from tokenscope_core.models.files import sources as model_sources
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.language_model import describe

PROMPT = "def add(a, b):\n    return a + b\n"


def _text_part(family: str) -> dict[str, object]:
    return tiny_families.FAMILIES[family][1] | {"vocab_size": len(tiny_models.tokenizer())}


def gemma3() -> PreTrainedModel:
    """As Gemma 3 from 4B on: text and pictures, loaded with the part that sees."""
    sees = {"num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = Gemma3Config(
        text_config=_text_part("gemma3"), vision_config=small | sees, mm_tokens_per_image=4,
        image_token_index=5, boi_token_index=6, eoi_token_index=7,
    )  # fmt: skip
    return Gemma3ForConditionalGeneration(config)


def qwen3_5() -> PreTrainedModel:
    """As Qwen 3.5: of text and pictures, the part that writes is loaded alone."""
    sees = {"num_heads": 2, "patch_size": 8, "num_position_embeddings": 16, "depth": 1}
    small = {"hidden_size": 16, "intermediate_size": 16, "out_hidden_size": 32}
    return Qwen3_5ForConditionalGeneration(
        Qwen3_5Config(text_config=_text_part("qwen3_5"), vision_config=small | sees)
    )


def saved(model: PreTrainedModel, folder: Path, **changes: object) -> Path:
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize(("make", "named"), [(gemma3, "Gemma3"), (qwen3_5, "Qwen3_5")])
def test_a_model_of_text_and_pictures_reads_and_writes_text(
    make: Callable[[], PreTrainedModel], named: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    folder = saved(make(), tmp_path)
    assert f"{named}ForConditionalGeneration" in (folder / "config.json").read_text()
    lm = ts.load_model(folder)
    assert lm.context_length == tiny_models.CONTEXT
    assert lm.identity.fingerprint == locate(folder).fingerprint_in()
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=8))
    plain = AutoModelForCausalLM.from_pretrained(folder).double().eval()
    with torch.inference_mode():
        logits = plain(torch.tensor([trace.token_ids.tolist()]), use_cache=False).logits[0]
    expected = logits.log_softmax(-1)[
        torch.arange(len(trace) - 1), torch.tensor(trace.token_ids[1:].tolist())
    ]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=1e-4)
    fork = ts.fork(lm, trace, len(trace) - 4, token_id=int(trace.token_ids[-4]))
    assert fork.token_ids.tolist() == trace.token_ids.tolist()
    attention = ts.attention(lm, trace, layers=[1])
    np.testing.assert_allclose(attention.weights.sum(axis=-1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    "architectures", [None, [], "LlamaForCausalLM", [None, 3], ["LlamaModel"], ["Unheard"]]
)
def test_what_a_configuration_calls_a_model_does_not_matter(
    architectures: object, tmp_path: Path
) -> None:
    folder = saved(tiny_models.model("llama"), tmp_path, architectures=architectures)
    trace = ts.score(ts.load_model(folder), PROMPT)
    expected = ts.score(tiny_models.language_model("llama"), PROMPT)
    np.testing.assert_array_equal(trace.logprob, expected.logprob)


def bert() -> PreTrainedModel:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = BertConfig(vocab_size=290, intermediate_size=16, initializer_range=0.5, **sizes)
    return BertForMaskedLM(config)


def bart() -> PreTrainedModel:
    sides = {f"{side}_{name}": n for side in ("encoder", "decoder")
             for name, n in (("layers", 1), ("ffn_dim", 16), ("attention_heads", 1))}  # fmt: skip
    return BartForConditionalGeneration(BartConfig(vocab_size=290, d_model=16, **sides))


def classifier() -> PreTrainedModel:
    return LlamaForSequenceClassification(tiny_models.model("llama").config)


def clip() -> PreTrainedModel:
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2}
    return CLIPModel(CLIPConfig(text_config=small | heads, vision_config=small | heads))


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (bert, "looks ahead.*nats.*rounding in float32"),
        (bart, "only its encoder reads"),
        (classifier, "lm_head.weight.*random"),
        (clip, "none of the kind “clip”"),
    ],
)
def test_a_model_that_does_not_write_is_refused_by_what_it_lacks(
    make: Callable[[], PreTrainedModel], found: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    folder = saved(make(), tmp_path / "tiny")
    with pytest.raises(ts.ModelError, match=found) as caught:
        ts.load_model(folder)
    assert "tiny" in caught.value.asked
    assert caught.value.action


@pytest.fixture(scope="module")
def ruling_out() -> ts.LanguageModel:
    """A model whose head gives -inf to every second token, as some do for what none may write."""
    model = tiny_models.model("llama")
    bias = torch.zeros(model.config.vocab_size)
    bias[1::2] = -torch.inf
    head = torch.nn.Linear(32, len(bias))
    head.weight, head.bias = model.lm_head.weight, torch.nn.Parameter(bias)
    model.lm_head = head
    return describe(model.eval(), tiny_models.tokenizer(), tiny_models.files("rules out"))


def test_tokens_that_a_head_rules_out_are_no_reason_to_refuse(
    ruling_out: ts.LanguageModel,
) -> None:
    assert ruling_out.capabilities.cache == "branches"
    assert ruling_out.capabilities.head_apart
    trace = ts.score(ruling_out, PROMPT, candidates=200)
    logits = oracles.full_pass(ruling_out, trace.token_ids)
    for position in range(1, len(trace)):
        expected = oracles.metrics_of(logits[position - 1], int(trace.token_ids[position]), 200)
        for name in ("logprob", "entropy", "varentropy", "margin", "rank", "top_mass"):
            measured = trace.column(name)[position]
            assert measured == pytest.approx(expected[name], abs=5e-4), name
    assert np.isneginf(trace.logprob[trace.token_ids % 2 == 1][1:]).all()
    ruled_out = np.isneginf(trace.candidate_logprobs[1:])
    np.testing.assert_array_equal(ruled_out, trace.candidate_ids[1:] % 2 == 1)
    assert ruled_out.any()


def test_what_a_head_rules_out_is_never_drawn_and_can_be_kept(ruling_out: ts.LanguageModel) -> None:
    sampling = ts.Sampling(temperature=3.0, seed=1)
    trace = ts.generate(ruling_out, ts.Request("x", 40, sampling=sampling, candidates=200))
    assert (trace.token_ids[trace.prompt_length :] % 2 == 0).all()
    assert ts.Trace.from_bytes(trace.to_bytes()).to_bytes() == trace.to_bytes()
    forced = ts.fork(ruling_out, trace, 10, token_id=3)
    assert np.isneginf(forced.logprob[10])
    same = ts.compare(trace, trace, lm=ruling_out)
    assert not np.isnan(same.frame()["kl_ab"].iloc[1:]).any()


def test_the_cache_is_searched_for_what_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs of all kinds keep models there; one that is named is opened all the same."""
    names = {"org/sees": gemma3, "org/embeds": bert}
    folders = {name: saved(make(), tmp_path / name) for name, make in names.items()}
    monkeypatch.setattr(hub, "cached_names", lambda: tuple(names))
    monkeypatch.setattr(hub, "cached_folder", folders.get)
    assert {s.name for s in model_sources.sources() if s.kind == "cache"} == {"org/sees"}
    assert model_sources.source_of("org/embeds").kind == "cache"
