"""What attention says of single tokens, against the raw matrices of transformers' eager attention.

The families: grouped heads, a window in every layer, a window in one of two, blocks, heads that may
attend to nothing, and a hybrid of which one layer attends.
"""

from __future__ import annotations

import numpy as np
import pytest
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts

FAMILIES = {
    "llama": ((0, 1), (None, None)),
    "mistral, windowed": ((0, 1), (7, 7)),
    "gemma3": ((0, 1), (7, None)),
    "gpt_oss": ((0, 1), (7, None)),
    "bamba": ((1,), (None,)),
}
REQUEST = ts.Request("def add(a, b):\n    return a", 24, ts.Sampling(temperature=1.0, seed=4))
Matrices = NDArray[np.float64]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lm(family: str) -> ts.LanguageModel:
    return tiny_models.language_model(family)


@pytest.fixture(scope="module")
def trace(lm: ts.LanguageModel) -> ts.Trace:
    return ts.generate(lm, REQUEST)


@pytest.fixture(scope="module")
def raw(family: str, trace: ts.Trace) -> Matrices:
    """[layer, head, query, key] of the layers that attend, from a second model."""
    twin = tiny_models.model(family)
    for module in twin.modules():
        if (config := getattr(module, "config", None)) is not None:
            config._attn_implementation = "eager"
    with torch.no_grad():
        out = twin(torch.tensor([trace.token_ids.tolist()]), output_attentions=True)
    found = [weights[0].double().numpy() for weights in out.attentions if weights is not None]
    layers = FAMILIES[family][0]
    return np.stack([found[layer] for layer in layers] if len(found) > len(layers) else found)


def sees(family: str, length: int) -> NDArray[np.bool_]:
    """[layer, query, key], from the windows of the configuration."""
    i, j = np.indices((length, length))
    return np.stack(
        [(j <= i) & (i - j < (length if w is None else w)) for w in FAMILIES[family][1]]
    )


def test_what_a_token_receives_is_the_sum_down_its_column(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    found = ts.received(lm, trace)
    length = len(trace)
    seen = sees(family, length)
    later = np.tril(np.ones((length, length)), -1)
    assert found.layers == FAMILIES[family][0]
    np.testing.assert_allclose(found.mass, (raw * later).sum(axis=2), atol=1e-4)
    np.testing.assert_allclose(found.rows_seeing, (seen * later).sum(axis=1))
    even = seen / seen.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found.even, (even * later).sum(axis=1), atol=1e-9)
    frame = found.frame(found.layers[-1], 2)
    mass = (raw[-1, 2] * later).sum(axis=0)
    np.testing.assert_allclose(frame["received"], mass, atol=1e-4)
    np.testing.assert_allclose(
        frame["ratio"][: length - 1], mass[:-1] / (even[-1] * later).sum(axis=0)[:-1], rtol=1e-3
    )
    assert np.isnan(frame["ratio"].iloc[-1]), "nothing follows the last token"
    np.testing.assert_allclose(found.of(), (raw * later).sum(axis=2).mean(axis=(0, 1)), atol=1e-4)


def test_of_generated_tokens_the_rows_count_that_they_were_predicted_from(
    lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    found = ts.received(lm, trace, rows="predicting")
    first = trace.prompt_length - 1
    later = np.tril(np.ones((len(trace), len(trace))), -1)
    later[:first] = later[-1] = 0
    np.testing.assert_allclose(found.mass, (raw * later).sum(axis=2), atol=1e-4)
    assert found.sinks.positions == ts.received(lm, trace).sinks.positions, "of all rows"


def test_without_a_token_the_rest_of_each_row_receives_its_share(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    found = ts.received(lm, trace, masked=[0])
    kept = raw.copy()
    kept[..., 0] = 0
    left = kept.sum(axis=-1, keepdims=True)
    total = raw.sum(axis=-1, keepdims=True)
    kept = np.divide(kept * total, left, out=np.zeros_like(kept), where=left > 1e-12)
    later = np.tril(np.ones((len(trace), len(trace))), -1)
    np.testing.assert_allclose(found.mass, (kept * later).sum(axis=2), atol=1e-3)
    assert (found.mass[..., 0] == 0).all() and (found.even[:, 0] == 0).all()
    open_ = sees(family, len(trace)) * (np.arange(len(trace)) > 0)
    count = np.maximum(open_.sum(axis=2, keepdims=True), 1)
    np.testing.assert_allclose(found.even, (open_ / count * later).sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("head", [None, 1])
def test_a_token_leans_on_what_it_attends_to(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices, head: int | None
) -> None:
    apart = [0, 2]
    found = ts.leaning(ts.attention(lm, trace), trace, head=head, apart=apart)
    seen = sees(family, len(trace))
    rows = (raw if head is None else raw[:, [head]]).mean(axis=(0, 1))
    even = (seen / seen.sum(axis=2, keepdims=True)).mean(axis=0)
    frame = found.frame().set_index("position")
    for i in (5, trace.prompt_length, len(trace) - 1):
        row, flat = rows[i].copy(), even[i].copy()
        assert frame["sink_share"][i] == pytest.approx(row[apart].sum() / row.sum(), abs=1e-5)
        row[apart] = flat[apart] = 0
        on_prompt = row[: trace.prompt_length].sum() / row.sum()
        assert frame["prompt_share"][i] == pytest.approx(on_prompt, abs=1e-5)
        assert frame["output_share"][i] == pytest.approx(1 - on_prompt, abs=1e-5)
        for name in ("prob", "margin", "entropy", "surprisal"):
            column = getattr(trace, name)
            mean = sum(row[j] * column[j] for j in range(1, i + 1)) / row.sum()
            assert frame[name][i] == pytest.approx(mean, abs=1e-4)
            plain = sum(flat[j] * column[j] for j in range(1, i + 1)) / flat.sum()
            assert frame[f"even_{name}"][i] == pytest.approx(plain, abs=1e-6)
            assert frame[f"known_{name}"][i] == pytest.approx(1.0)
    assert (found.layers, found.apart) == (FAMILIES[family][0], (0, 2))


def test_one_pair_in_every_head_is_one_cell_of_every_matrix(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    query, key = len(trace) - 2, 3
    row = ts.attention(lm, trace, queries=(query, query + 1))
    grid = ts.pair_grid(row, query, key)
    seen = sees(family, len(trace))[:, query]
    expected = np.where(seen[:, None, key], raw[:, :, query, key], np.nan)
    np.testing.assert_allclose(grid.weights, expected, atol=1e-5)
    even = np.where(seen[:, key], 1 / seen.sum(axis=1), np.nan)
    np.testing.assert_allclose(grid.even, even)
    near = ts.pair_grid(row, query, query)
    np.testing.assert_allclose(near.weights, raw[:, :, query, query], atol=1e-5)
    frame = near.frame()
    assert len(frame) == raw.shape[0] * raw.shape[1]
    last = frame.iloc[-1]
    assert (last["layer"], last["head"]) == (FAMILIES[family][0][-1], raw.shape[1] - 1)
    assert last["ratio"] == pytest.approx(raw[-1, -1, query, query] * seen[-1].sum(), rel=1e-3)


def test_who_attends_to_a_token_is_its_column_in_every_head(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    key = 4
    found = ts.attenders(lm, trace, key)
    seen = sees(family, len(trace))[:, key:, key]
    expected = np.where(seen[:, None], raw[:, :, key:, key], np.nan)
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    assert found.queries.tolist() == list(range(key, len(trace)))
    layer = FAMILIES[family][0][-1]
    np.testing.assert_allclose(found.by_head(layer), expected[-1].T, atol=1e-5)
    known = ~np.isnan(expected).all(axis=(0, 1))
    np.testing.assert_allclose(
        found.by_head()[known], np.nanmean(expected[..., known], axis=0).T, atol=1e-5
    )
    row = int(np.flatnonzero(known)[-1])
    for at, layer in enumerate(found.layers):
        mean = np.nan if not seen[at, row] else raw[at, :, key + row, key].mean()
        assert found.by_layer()[row, at] == pytest.approx(mean, abs=1e-5, nan_ok=True), layer
    again = ts.attenders_in(ts.attention(lm, trace), key)
    np.testing.assert_allclose(again.weights, found.weights, atol=1e-6)


def test_several_tokens_attend_to_the_mean_of_their_rows(
    family: str, lm: ts.LanguageModel, trace: ts.Trace, raw: Matrices
) -> None:
    chosen = [5, 9, len(trace) - 1]
    captured = ts.attention(lm, trace)
    found = ts.selected_attention(captured, chosen, layer=captured.layers[-1])
    np.testing.assert_allclose(found.weight, raw[-1][:, chosen].mean(axis=(0, 1)), atol=1e-5)
    seen = sees(family, len(trace))[-1]
    even = seen / seen.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.even, even[chosen].mean(axis=0), atol=1e-9)
    to = ts.selected_attention(captured, chosen, "to", head=3)
    expected = raw[:, 3][:, :, chosen].sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(to.weight, expected, atol=1e-5)
    assert (to.layers, to.heads) == (FAMILIES[family][0], (3,))
