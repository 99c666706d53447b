"""What a capture takes is known before it runs; what does not fit is refused with what would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_families
import tiny_models
from hypothesis import given
from hypothesis import strategies as some

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf, RolloutOf
from tokenscope_core.attention.capturing.accumulators import LayerFold
from tokenscope_core.attention.capturing.capture import attend
from tokenscope_core.attention.capturing.estimate import (
    Heads,
    capture_cost,
    require_room,
    rollout_cost,
)
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import find
from tokenscope_core.settings import Limits

SMALL = Heads(tuple(range(10)), 8, 512)  # the shape whose attention is 80 times 16 MB


@pytest.mark.parametrize(
    "selection",
    [
        ts.Selection(),
        ts.Selection(layers=(1,), heads=(0, 3), queries=(3, 9)),
        ts.Selection(fold="max", queries=(0, 5)),
    ],
)
def test_the_result_is_as_large_as_was_said(lm: ts.LanguageModel, selection: ts.Selection) -> None:
    ids = lm.encode("x = 1\n" * 8)
    found = ts.attention(
        lm, ids, selection.layers, selection.heads, selection.queries, selection.fold
    )
    facts = lm.capabilities.attention
    cost = capture_cost(Heads(facts.layers, facts.heads[0], 32), len(ids), selection)
    assert cost.result == found.weights.nbytes
    assert cost.peak >= cost.result


def test_the_largest_weights_are_as_large_as_was_said(lm: ts.LanguageModel) -> None:
    ids = lm.encode("x = 1\n" * 8)
    found = ts.top_attention(lm, ids, 3)
    cost = capture_cost(Heads((0, 1), 4, 32), len(ids), ts.Selection(top=3))
    assert cost.result == found.weights.nbytes + found.keys.nbytes


def test_the_configuration_says_how_much_attends(tmp_path: Path) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    files = find(str(tmp_path))
    assert files is not None
    assert Heads.of(facts_of(files)) == Heads((0, 1), 4, 32)


@pytest.mark.parametrize("family", tiny_families.RECURRENT)
def test_a_hybrids_configuration_says_which_layers_attend(family: str, tmp_path: Path) -> None:
    tiny_models.model(family).save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    files = find(str(tmp_path))
    assert files is not None
    expected = tiny_models.language_model(family).capabilities.attention.layers
    known = Heads.of(facts_of(files))
    assert (known.layers if known is not None else ()) == expected


def test_the_time_is_unknown_until_the_model_has_been_read_once() -> None:
    lm = tiny_models.describe(
        tiny_models.model("gpt2"), tiny_models.tokenizer(), tiny_models.files("timed", "timed")
    )
    heads, name = Heads((0, 1), 4, 32), lm.identity.fingerprint
    assert capture_cost(heads, 100, ts.Selection(), fingerprint=name).seconds is None
    ts.attention(lm, lm.encode("x = 1\n" * 8))
    below, above = (
        capture_cost(heads, 100, ts.Selection(layers=layers), fingerprint=name).seconds
        for layers in ((0,), (1,))
    )
    assert below is not None
    assert above == pytest.approx(2 * below)
    whole = rollout_cost(heads, 100, fingerprint=name).seconds
    assert whole == pytest.approx(above)


def test_a_stopped_pass_is_judged_by_the_layers_that_were_read() -> None:
    """Layers between those asked for take their time, too."""
    lm = tiny_models.describe(
        tiny_models.model("gpt2"), tiny_models.tokenizer(), tiny_models.files("stop", "stop")
    )
    text = lm.encode("x = 1\n" * 8)
    selection = ts.Selection(layers=(1,))
    nothing: list[LayerFold] = []
    began = time.perf_counter()
    assert not attend(lm, text, selection, nothing, cancelled=lambda: True)
    most = time.perf_counter() - began
    name = lm.identity.fingerprint
    one = capture_cost(
        Heads((0, 1), 4, 32), len(text), ts.Selection(layers=(0,)), fingerprint=name
    ).seconds
    assert one is not None, "a layer was read, and says how fast the model is"
    assert one <= most


def test_all_layers_and_heads_of_a_long_text_are_refused_with_what_fits() -> None:
    with pytest.raises(ts.SelectionTooLargeError, match=r"1\.5 GB.*layers 0 to \d") as caught:
        require_room(SMALL, 2048, ts.Selection(), 10**9)
    suggestion = caught.value.suggestion
    assert suggestion is not None
    assert suggestion.layers is not None
    assert suggestion.heads is None
    require_room(SMALL, 2048, suggestion, 10**9)


@given(
    tokens=some.integers(1, 20_000),
    present=some.integers(10**6, 10**10),
    top=some.sampled_from([0, 8, 100]),
    fold=some.sampled_from([None, "mean"]),
    layers=some.sampled_from([None, (3,), (2, 5, 9)]),
)
def test_what_is_suggested_fits(
    tokens: int, present: int, top: int, fold: ts.Selection, layers: tuple[int, ...] | None
) -> None:
    selection = ts.Selection(layers, top=top, fold=fold)  # type: ignore[arg-type]
    try:
        require_room(SMALL, tokens, selection, present)
    except ts.SelectionTooLargeError as error:
        assert error.needed > error.present == present
        if error.suggestion is not None:
            require_room(SMALL, tokens, error.suggestion, present)
    else:
        assert capture_cost(SMALL, tokens, selection).peak <= present


def test_free_memory_bounds_a_capture(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenscope_core.attention.capturing import resolved_selection as chosen
    from tokenscope_core.attention.capturing import rollout
    from tokenscope_core.models.files.machine import Memory

    for module in (chosen, rollout):
        monkeypatch.setattr(module, "memory_of", lambda device: Memory(10**6, 50_000))
    for capture in (ts.attention, ts.rollout):
        with pytest.raises(ts.SelectionTooLargeError):
            capture(lm, lm.encode("x = 1\n" * 20))


@pytest.fixture
def service(store: ts.Store) -> Iterator[GenerationService]:
    def refuse_to_load(*_: object) -> ts.LanguageModel:
        raise AssertionError("the model was loaded")

    running = GenerationService(store, load=refuse_to_load, limits=Limits(capture_mb=1))
    yield running
    running.close()


def test_the_service_refuses_before_it_loads_the_model(
    service: GenerationService, lm: ts.LanguageModel, tmp_path: Path
) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    trace = ts.score(lm, "x = 1\n" * 60)
    for task in (AttentionOf(trace, ts.Selection()), RolloutOf(trace)):
        with pytest.raises(ts.SelectionTooLargeError, match=r"1\.0 MB are there"):
            service.analyse(str(tmp_path), task, "tab")
