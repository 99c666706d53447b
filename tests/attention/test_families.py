"""Attention of every architecture against transformers' own eager matrices."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_families
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts
from tokenscope_core.attention.capturing.windows import Locality, first_keys_attended, locality_of
from tokenscope_core.attention.records import decode_map, encode_map

# Longer than every window and block of the families.
TEXT = "def add(a, b):\n    return a + b\n" * 2
NO_ATTENTION = {"mamba", "falcon_mamba", "mamba2", "rwkv", "xlstm"}
ATTENDING = [
    name for name in tiny_families.FAMILIES if name not in NO_ATTENTION | tiny_families.LOOPED
]
# What heads put out is changed before it is projected: gated, or rotated back.
GATED = {"qwen3_next", "qwen3_5", "deepseek_v4, compressed keys"}
HYBRID = {name: (1,) for name in tiny_families.RECURRENT if name not in NO_ATTENTION}
HYBRID |= {"falcon_h1": (0, 1), "recurrent_gemma": (2,)}
HYBRID |= {"deepseek_v4, compressed keys": (0,)}
LEARNED_SINKS = {"gpt_oss", "deepseek_v4, compressed keys"}


def eager(family: str, ids: list[int]) -> list[NDArray[np.float32]]:
    """What a second model with the same weights returns, layer by layer."""
    twin = tiny_models.model(family)
    for module in twin.modules():
        config = getattr(module, "config", None)
        if config is not None:
            config._attn_implementation = "eager"
    with torch.no_grad():
        out = twin(torch.tensor([ids]), output_attentions=True, use_cache=False)
    return [weights[0].numpy() for weights in out.attentions if weights is not None]


@pytest.fixture(scope="module", params=ATTENDING)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lm(family: str) -> ts.LanguageModel:
    return tiny_models.language_model(family)


def test_weights_are_those_of_eager_attention(lm: ts.LanguageModel, family: str) -> None:
    ids = lm.encode(TEXT)
    assert len(ids) > 20
    found = ts.attention(lm, ids)
    expected = eager(family, ids)
    assert found.layers == HYBRID.get(family, (0, 1))
    if len(expected) > len(found.layers):  # one entry a layer, attention or not
        expected = [expected[layer] for layer in found.layers]
    np.testing.assert_allclose(found.weights, np.stack(expected), atol=1e-5, rtol=0)
    attended = np.maximum((found.weights > 0).sum(axis=-1, keepdims=True), 1)
    assert (found.weights * attended).max() > 1.1, "the family's weights are not all even"
    sums = found.weights.sum(axis=-1)
    assert (sums <= 1 + 1e-5).all()
    if family not in LEARNED_SINKS:
        np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_rows_heads_and_layers_are_parts_of_the_whole(lm: ts.LanguageModel) -> None:
    ids = lm.encode(TEXT)
    whole = ts.attention(lm, ids)
    layer = whole.layers[-1]
    part = ts.attention(lm, ids, layers=[layer], heads=[1, 3], queries=(9, 17))
    expected = whole.weights[-1:, [1, 3], 9:17]
    np.testing.assert_allclose(part.weights, expected, atol=1e-6)
    assert (part.layers, part.heads) == ((layer,), (1, 3))
    assert part.queries.tolist() == list(range(9, 17))


def test_a_model_is_left_as_it_was(lm: ts.LanguageModel) -> None:
    request = ts.Request(TEXT, 12, ts.Sampling(temperature=1.0, seed=3))
    before = ts.generate(lm, request)
    hooks = sum(len(module._forward_hooks) for module in lm.model.modules())
    chosen = lm.model.config._attn_implementation
    trace = ts.generate(lm, request)
    ts.attention(lm, trace)
    assert lm.model.config._attn_implementation == chosen
    assert sum(len(module._forward_hooks) for module in lm.model.modules()) == hooks
    after = ts.generate(lm, request)
    assert after.token_ids.tolist() == before.token_ids.tolist()
    assert after.logprob.tobytes() == before.logprob.tobytes()


@pytest.mark.parametrize("name", sorted(NO_ATTENTION))
def test_a_model_without_attention_is_named(name: str) -> None:
    lm = tiny_models.language_model(name)
    assert lm.capabilities.attention.way == "none"
    with pytest.raises(ts.CapabilityError, match="recurrent"):
        ts.attention(lm, lm.encode(TEXT))


def test_a_recurrent_layer_of_a_hybrid_is_refused_with_those_that_attend() -> None:
    lm = tiny_models.language_model("bamba")
    with pytest.raises(ts.RequestError, match="layers with attention: 1"):
        ts.attention(lm, lm.encode(TEXT), layers=[0])


def test_a_layer_that_attends_to_more_than_the_tokens_is_refused_with_what_it_does() -> None:
    """Its keys stand for four tokens each, or for sixteen: then a short text does not show it."""
    lm = tiny_models.language_model("deepseek_v4, compressed keys")
    ids = lm.encode(TEXT)
    assert lm.capabilities.attention.layers == (0,)
    with pytest.raises(ts.RequestError, match="stand for several tokens together"):
        ts.attention(lm, ids, layers=[1])
    with pytest.raises(ts.CapabilityError, match=r"layer 1 .*16 keys where the text has 13 tokens"):
        ts.rollout(lm, ids)
    assert ts.attention(lm, ids).layers == (0,)


def test_a_layer_that_shows_on_a_long_text_only_that_it_attends_to_more_is_refused_there() -> None:
    model_type, settings = tiny_families.FAMILIES["deepseek_v4, compressed keys"]
    kinds = ["sliding_attention", "heavily_compressed_attention"]
    lm = tiny_models.described(model_type, settings | {"layer_types": kinds})
    short, long = lm.encode("a + b"), lm.encode(TEXT)
    assert len(short) < 16 < len(long)
    assert ts.attention(lm, short).layers == (0, 1)
    assert ts.attention(lm, long, layers=[0]).layers == (0,)
    trace = ts.score(lm, TEXT)
    for asked in (ts.attention, ts.rollout, ts.attention_flow):
        with pytest.raises(ts.CapabilityError, match="28 keys where the text has 27 tokens"):
            asked(lm, trace)


def test_layers_that_run_several_times_a_pass_are_refused() -> None:
    lm = tiny_models.language_model("hrm_text, layers run again")
    assert lm.capabilities.attention.layers == ()
    with pytest.raises(ts.CapabilityError, match=r"layer 0, 1 .* runs 2 times a pass"):
        ts.attention(lm, lm.encode(TEXT))


def test_value_norms_are_known_wherever_values_go_straight_to_the_projection(
    lm: ts.LanguageModel, family: str
) -> None:
    """Eager classes keep their values to themselves, and some models gate what heads put out."""
    ids = lm.encode(TEXT)
    if family in GATED or lm.capabilities.attention.way == "modules":
        with pytest.raises(ts.CapabilityError):
            ts.attention(lm, ids, weighting="value norms")
        return
    found = ts.attention(lm, ids, weighting="value norms").weights
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert not found[ts.attention(lm, ids).weights == 0].any()


def test_only_eager_classes_of_their_own_have_to_return_their_matrices() -> None:
    ways = {name: tiny_models.language_model(name).capabilities.attention.way for name in ATTENDING}
    eager_classes = {name for name, way in ways.items() if way == "modules"}
    assert eager_classes == {
        "gpt_neo", "gptj", "codegen", "bloom, alibi", "falcon", "falcon, alibi", "mpt, alibi",
    }  # fmt: skip


def test_a_window_leaves_older_keys_at_zero() -> None:
    lm = tiny_models.language_model("mistral, windowed")
    weights = ts.attention(lm, lm.encode(TEXT)).weights
    too_old = np.tril(np.ones(weights.shape[-2:], dtype=bool), -7)
    assert too_old.any()
    assert not weights[..., too_old].any()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gemma2, soft-capped", [Locality("window", 7), None]),
        ("gemma3", [Locality("window", 7), None]),
        ("gpt_oss", [Locality("window", 7), None]),
        ("mistral, windowed", [Locality("window", 7)] * 2),
        ("gpt_neo", [None, Locality("window", 7)]),
        ("llama4, attention in blocks", [Locality("blocks", 8), None]),
        ("llama", [None, None]),
        ("mpt, alibi", [None, None]),
    ],
)
def test_what_a_layer_sees_is_told_from_what_it_computes_with(
    name: str, expected: list[Locality | None]
) -> None:
    lm = tiny_models.language_model(name)
    found = ts.attention(lm, lm.encode(TEXT * 2), queries=(3, 5), heads=[1], fold="mean")
    assert [locality_of(found.first_keys.get(layer)) for layer in found.layers] == expected


def test_no_row_of_a_text_shorter_than_the_window_misses_anything() -> None:
    lm = tiny_models.language_model("gemma3")
    assert not ts.attention(lm, lm.encode("x = 1")).first_keys


@pytest.mark.parametrize("kind", ["window", "blocks"])
def test_a_reach_is_told_from_attention_alone_in_a_long_text(kind: str) -> None:
    rows = np.arange(300)
    first = np.maximum(rows - 140, 0) if kind == "window" else rows // 141 * 141
    one = torch.tensor(rows >= first[:, None]).tril().float()
    # What one head does not attend to, another does.
    found = first_keys_attended(torch.stack([one * (torch.arange(300) % 2), one]))
    assert found is not None
    np.testing.assert_array_equal(found, first)
    assert locality_of(found) == Locality(kind, 141)  # type: ignore[arg-type]


def test_attention_that_fades_is_no_window() -> None:
    faded = torch.ones(1, 40, 40).tril_()
    for row in range(10, 40):  # a weight too small to be kept, here and there
        faded[:, row, : row // 2 - 4] = 0.0
    assert first_keys_attended(faded) is None


def test_learned_sinks_leave_less_than_one_to_the_keys() -> None:
    lm = tiny_models.language_model("gpt_oss")
    assert ts.attention(lm, lm.encode(TEXT)).weights.sum(axis=-1).min() < 0.9


def test_what_a_layer_sees_is_kept_with_its_attention() -> None:
    lm = tiny_models.language_model("llama4, attention in blocks")
    found = ts.attention(lm, lm.encode(TEXT))
    again = decode_map(encode_map(found)).first_keys
    assert list(again) == [0]
    np.testing.assert_array_equal(again[0], np.arange(found.weights.shape[-1]) // 8 * 8)
