"""What is asked of attention and what comes back, against plain float64 computations."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.capture import attend
from tokenscope_core.models import attention_layers as layers
from tokenscope_core.record.arrays import Ints

TEXT = "for i in range(10):\n    print(i, é)\n" * 2
Floats = NDArray[np.float64]


@pytest.fixture
def trace(lm: ts.LanguageModel) -> ts.Trace:
    return ts.score(lm, TEXT)


def in_float64(lm: ts.LanguageModel, ids: list[int]) -> tuple[Floats, list[torch.Tensor]]:
    """Attention [layer, head, query, key] and the hidden states before each layer, eager."""
    precise = copy.deepcopy(lm.model).double()
    precise.config._attn_implementation = "eager"
    with torch.no_grad():
        out = precise(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    return torch.cat(out.attentions).numpy(), list(out.hidden_states)


def values_and_projection(
    lm: ts.LanguageModel, layer: int, hidden: torch.Tensor
) -> tuple[Floats, Floats]:
    """The values [T, head, width] of a layer and its output projection [head, width, out]."""
    body = copy.deepcopy(lm.model).double().base_model
    with torch.no_grad():
        if hasattr(body, "h"):  # GPT-2
            block = body.h[layer]
            value = block.attn.c_attn(block.ln_1(hidden))[0].chunk(3, dim=-1)[2]
            projection = block.attn.c_proj.weight
        else:
            block = body.layers[layer]
            value = block.self_attn.v_proj(block.input_layernorm(hidden))[0]
            projection = block.self_attn.o_proj.weight.T
    heads = lm.model.config.num_attention_heads
    width = projection.shape[0] // heads
    by_head = value.reshape(len(value), -1, width).numpy()
    by_head = np.repeat(by_head, heads // by_head.shape[1], axis=1)
    return by_head, projection.detach().reshape(heads, width, -1).numpy()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_value_norms_are_lengths_of_what_each_key_adds(family: str) -> None:
    lm = tiny_models.language_model(family)
    ids = lm.encode(TEXT)
    found = ts.attention(lm, ids, weighting="value norms")
    attention, hidden = in_float64(lm, ids)
    for layer in (0, 1):
        values, projection = values_and_projection(lm, layer, hidden[layer])
        for head in range(4):
            added = values[:, head] @ projection[head]  # f(x_j), [T, out]
            norms = np.linalg.norm(attention[layer, head, :, :, None] * added[None], axis=-1)
            expected = norms / norms.sum(axis=-1, keepdims=True)
            np.testing.assert_allclose(found.of(layer, head), expected, atol=1e-5)
    assert found.weighting == "value norms"


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_rollout_multiplies_layers_with_the_residual_added(family: str) -> None:
    lm = tiny_models.language_model(family)
    ids = lm.encode(TEXT)
    attention, _ = in_float64(lm, ids)
    expected = np.eye(len(ids))
    for layer in attention:
        step = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(len(ids))
        expected = step / step.sum(axis=-1, keepdims=True) @ expected
    np.testing.assert_allclose(ts.rollout(lm, ids), expected, atol=1e-5)


def test_rollout_of_a_long_text_is_the_plain_product(lm: ts.LanguageModel) -> None:
    ids = (lm.encode(TEXT) * 20)[:400]
    means = ts.attention(lm, ids, fold="mean").weights[:, 0].astype(np.float64)
    first, second = (layer / 2 + np.eye(len(ids)) / 2 for layer in means)
    np.testing.assert_allclose(ts.rollout(lm, ids), second @ first, atol=1e-5)
    np.testing.assert_allclose(ts.rollout(lm, ids, up_to=0), first, atol=1e-5)


def test_rows_of_a_rollout_sum_to_one_where_heads_may_attend_to_nothing() -> None:
    lm = tiny_models.language_model("gpt_oss")
    rolled = ts.rollout(lm, lm.encode(TEXT))
    np.testing.assert_allclose(rolled.sum(axis=-1), 1, atol=1e-5)


def test_a_long_text_is_that_of_one_softmax(lm: ts.LanguageModel) -> None:
    """Rows are computed in blocks; a text of several blocks shows it."""
    ids = (lm.encode(TEXT) * 20)[:300]
    expected, _ = in_float64(lm, ids)
    np.testing.assert_allclose(ts.attention(lm, ids).weights, expected, atol=1e-5)
    part = ts.attention(lm, ids, layers=[1], queries=(250, 300)).weights[0]
    np.testing.assert_allclose(part, expected[1, :, 250:300], atol=1e-5)


def test_folds_are_over_the_chosen_heads(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    whole = ts.attention(lm, trace)
    mean = ts.attention(lm, trace, heads=[0, 2], fold="mean")
    most = ts.attention(lm, trace, fold="max")
    np.testing.assert_allclose(mean.of(1), whole.weights[1, [0, 2]].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(most.of(0), whole.weights[0].max(axis=0))
    assert (mean.heads, mean.fold, mean.weights.shape[1]) == ((0, 2), "mean", 1)


def test_the_largest_weights_of_each_row(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    whole = ts.attention(lm, trace).weights
    top = ts.top_attention(lm, trace, 3)
    assert top.keys.dtype == np.int32
    assert top.keys.shape == top.weights.shape == (*whole.shape[:3], 3)
    ordered = -np.sort(-whole, axis=-1)[..., :3]
    np.testing.assert_allclose(top.weights, ordered, atol=1e-7)
    there = top.keys >= 0
    found = np.take_along_axis(whole, np.maximum(top.keys, 0).astype(np.int64), axis=-1)
    np.testing.assert_array_equal(found[there], top.weights[there])
    assert top.keys[0, 0, 0].tolist() == [0, -1, -1]


def test_what_is_not_there_is_named(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    with pytest.raises(ts.RequestError, match="layers with attention: 0, 1"):
        ts.attention(lm, trace, layers=[0, 7])
    with pytest.raises(ts.RequestError, match="4 heads"):
        ts.attention(lm, trace, heads=[4])
    with pytest.raises(ts.RequestError, match="tokens"):
        ts.attention(lm, trace, queries=(0, 1000))
    with pytest.raises(ts.RequestError, match="none"):
        ts.top_attention(lm, trace, 0)
    with pytest.raises(ts.RequestError, match="no tokens"):
        ts.attention(lm, [])
    other = tiny_models.language_model("gpt2")
    with pytest.raises(ts.TokenScopeError, match="model"):
        ts.attention(other, trace)


def test_values_that_are_gated_before_the_projection_are_refused() -> None:
    lm = tiny_models.language_model("qwen3_next")
    with pytest.raises(ts.CapabilityError, match="changed before it is projected"):
        ts.attention(lm, lm.encode(TEXT), weighting="value norms")


class Names:
    """A fold that keeps the names of its layers."""

    def __init__(self) -> None:
        self.layers: list[int] = []

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        self.layers.append(layer)


def test_layers_above_the_last_one_wanted_are_not_run(
    lm: ts.LanguageModel, trace: ts.Trace
) -> None:
    ran: list[int] = []
    body = lm.model.base_model
    hooks = [
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, layer in enumerate(body.layers)
    ]
    ts.attention(lm, trace, layers=[0])
    for hook in hooks:
        hook.remove()
    assert ran == [0]


def test_several_folds_share_a_pass_that_can_be_cancelled(
    lm: ts.LanguageModel, trace: ts.Trace
) -> None:
    first, second = Names(), Names()
    reported: list[tuple[int, int]] = []
    done = attend(
        lm, trace, ts.Selection(), [first, second], lambda *at: reported.append(at), lambda: True
    )
    assert done == (0,)
    assert first.layers == second.layers == [0]
    assert reported == [(0, 2), (1, 2)]


def test_a_stop_below_the_first_layer_wanted_leaves_nothing(
    lm: ts.LanguageModel, trace: ts.Trace
) -> None:
    reported: list[tuple[int, int]] = []
    for task in (
        AttentionOf(trace, ts.Selection((1,))),
        AttentionOf(trace, ts.Selection((1,), top=2)),
    ):
        assert task.run(lm, lambda *at: reported.append(at), lambda: True) is None
    assert reported == 2 * [(0, 2), (1, 2)], "layers that nobody wants have to run too"


def test_a_failing_fold_leaves_the_model_as_it_was(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    class Broken:
        def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attend(lm, trace, ts.Selection(), [Broken()])
    assert ts.score(lm, TEXT).to_bytes() == trace.to_bytes()
    assert not any(module._forward_hooks for module in lm.model.modules())


def test_a_model_that_was_set_to_eager_gives_the_same_and_stays_eager(
    lm: ts.LanguageModel, trace: ts.Trace
) -> None:
    expected = ts.attention(lm, trace, weighting="value norms").weights
    eager = tiny_models.model("llama")
    eager.set_attn_implementation("eager")
    other = tiny_models.describe(
        eager, tiny_models.tokenizer(), tiny_models.files("tiny-llama", "hash-llama-True")
    )
    found = ts.attention(other, trace, weighting="value norms").weights
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert eager.config._attn_implementation == "eager"


def test_layers_may_differ_in_their_number_of_heads(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    """As in pruned models: a map of both layers has no shape, a fold or a single layer has."""
    layout = layers.AttentionLayout(ts.AttentionFacts("interface", (0, 1), (2, 4)), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(layers._known, lm.model, layout)
        pruned = replace(lm, capabilities=replace(lm.capabilities, attention=layout.facts))
        with pytest.raises(ts.RequestError, match=r"\[2, 4\]"):
            ts.attention(pruned, trace)
        assert ts.attention(pruned, trace, [1]).heads == (0, 1, 2, 3)
        assert ts.attention(pruned, trace, [0]).heads == (0, 1)
        assert ts.attention(pruned, trace, fold="mean").weights.shape[1] == 1


def test_other_threads_are_not_watched(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    """Two models read at once, one of them watched: neither sees the other's layers."""
    other = tiny_models.language_model("qwen2")
    alone = ts.attention(lm, trace).weights
    go_on = threading.Event()

    def read_all_the_time() -> None:
        while not go_on.is_set():
            ts.score(other, TEXT)

    thread = threading.Thread(target=read_all_the_time)
    thread.start()
    try:
        for _ in range(5):
            np.testing.assert_array_equal(ts.attention(lm, trace).weights, alone)
    finally:
        go_on.set()
        thread.join()


def test_half_precision_gives_float32_rows_that_sum_to_one() -> None:
    """The scores are those of the model's own keys and queries; the softmax is exact."""
    half = tiny_models.language_model("llama")
    exact = ts.attention(half, half.encode(TEXT)).weights
    rounded = copy.deepcopy(half.model).to(torch.bfloat16)
    lm = tiny_models.describe(rounded, tiny_models.tokenizer(), tiny_models.files("half"))
    found = ts.attention(lm, lm.encode(TEXT)).weights
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert np.abs(found - exact).mean() < 0.02


def test_facts_name_the_layers_that_attend() -> None:
    facts = tiny_models.language_model("jamba").capabilities.attention
    assert (facts.layers, facts.heads) == ((1,), (4,))
