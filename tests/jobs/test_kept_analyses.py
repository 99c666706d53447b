"""What was computed about traces is kept, and given again without the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted import plant
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf, RolloutOf
from tokenscope_core.attention.records import decode_map, encode_map
from tokenscope_core.attention.summaries import FlowOf, OverviewOf
from tokenscope_core.jobs.analysis_tasks import (
    BranchComparison,
    HindsightOf,
    InfluenceOf,
    StoredAnalysis,
    key_of,
)
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.record.array_records import decode, encode

ALL = ts.Selection()


def refuse_to_load(*_: object) -> ts.LanguageModel:
    raise AssertionError("the model was loaded")


@pytest.fixture
def again(store: ts.Store) -> Iterator[GenerationService]:
    """The service after a restart, on a machine that cannot load the model."""
    running = GenerationService(store, load=refuse_to_load)
    yield running
    running.close()


@pytest.fixture
def tasks(tiny_folder: str, trace: ts.Trace) -> list[Any]:
    other = ts.fork(ts.load_model(tiny_folder), trace, trace.prompt_length + 4, text="x")
    return [
        AttentionOf(trace, ALL),
        AttentionOf(trace, ts.Selection(layers=(1,), fold="mean", queries=(2, 9))),
        AttentionOf(trace, ts.Selection(top=4)),
        AttentionOf(trace, ts.Selection(weighting="value norms")),
        RolloutOf(trace),
        RolloutOf(trace, up_to=0),
        OverviewOf(trace, masked=(0,)),
        FlowOf(trace, "function"),
        InfluenceOf(trace),
        HindsightOf(trace),
        HindsightOf(trace, everywhere=True),
        BranchComparison(trace, other),
    ]


def arrays_of(result: object) -> dict[str, Any]:
    names = getattr(result, "__dataclass_fields__", {})
    found = {name: getattr(result, name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def test_every_analysis_is_answered_from_the_store_without_the_model(
    service: GenerationService, again: GenerationService, tiny_folder: str, tasks: list[Any]
) -> None:
    for task in tasks:
        assert isinstance(task, StoredAnalysis)
        first = service.analyse(tiny_folder, task, "tab").wait(WAIT_S)
        assert (first.phase, first.from_store) == ("done", False), first.error
        second = again.analyse(tiny_folder, task, "tab").view()
        assert (second.phase, second.from_store) == ("done", True)
        assert type(second.result) is type(first.result)
        kept = arrays_of(second.result)
        for name, array in arrays_of(first.result).items():
            assert kept[name].dtype == array.dtype
            np.testing.assert_allclose(kept[name], array, rtol=1e-3, atol=1e-6, err_msg=name)
            assert not kept[name].flags.writeable
        for name in (
            "layers",
            "heads",
            "fold",
            "weighting",
            "rejoin",
            "measured",
            "threshold",
            "askable",
        ):
            assert getattr(second.result, name, None) == getattr(first.result, name, None)


def test_other_questions_about_a_trace_have_other_keys(tasks: list[Any]) -> None:
    keys = [key_of(task) for task in tasks]
    assert len(set(keys)) == len(keys)


def test_a_task_computes_what_the_function_does(
    service: GenerationService, tiny_folder: str, trace: ts.Trace
) -> None:
    view = service.analyse(tiny_folder, AttentionOf(trace, ALL), "tab").wait(WAIT_S)
    lm = ts.load_model(tiny_folder)
    np.testing.assert_allclose(view.result.weights, ts.attention(lm, trace).weights, atol=1e-6)
    assert (view.done, view.total) == (2, 2)
    view = service.analyse(tiny_folder, RolloutOf(trace), "tab").wait(WAIT_S)
    np.testing.assert_allclose(view.result.weights, ts.rollout(lm, trace), atol=1e-6)


def test_a_cancelled_capture_has_the_layers_done(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "x = 1\n" * 4)
    for task in (AttentionOf(trace, ALL), AttentionOf(trace, ts.Selection(top=2))):
        part = task.run(lm, lambda done, total: None, lambda: True)
        assert part.layers == (0,)
        assert len(part.weights) == 1
    rolled = RolloutOf(trace).run(lm, lambda done, total: None, lambda: True)
    assert rolled.layers == (0,)


class Stopping(AttentionOf):
    """A capture during which its visitor leaves."""

    def run(self, lm: Any, report: Any, cancelled: Any) -> Any:
        while not cancelled():
            report(0, 2)
        return super().run(lm, report, cancelled)


def test_what_is_stopped_is_not_kept_as_the_whole(
    service: GenerationService, store: ts.Store, tiny_folder: str, trace: ts.Trace
) -> None:
    task = Stopping(trace, ALL)
    ticket = service.analyse(tiny_folder, task, "tab")
    while not ticket.view().total:
        ticket.wait(0.01)
    view = ticket.stop()
    assert (view.phase, view.result.layers) == ("stopped", (0,))
    assert store.get_capture(key_of(task)) is None


def test_a_damaged_capture_is_computed_again(
    service: GenerationService, store: ts.Store, tiny_folder: str, trace: ts.Trace
) -> None:
    task = AttentionOf(trace, ALL)
    store.put_capture(key_of(task), b"nonsense")
    view = service.analyse(tiny_folder, task, "tab").wait(WAIT_S)
    assert (view.phase, view.from_store) == ("done", False)
    assert service.analyse(tiny_folder, task, "tab").view().from_store


def test_a_planted_capture_is_computed_again(
    service: GenerationService, store: ts.Store, tiny_folder: str, trace: ts.Trace
) -> None:
    task = AttentionOf(trace, ALL)
    plant(store.folders.caches, key_of(task), {"a": "pickle"}, "captures")
    view = service.analyse(tiny_folder, task, "tab").wait(WAIT_S)
    assert (view.phase, view.from_store) == ("done", False)


@pytest.mark.parametrize("at", [0, 20, 40, 70, -1])
def test_a_changed_byte_is_noticed(lm: ts.LanguageModel, at: int) -> None:
    blob = bytearray(encode_map(ts.attention(lm, lm.encode("x = 1"))))
    assert decode_map(bytes(blob)).layers == (0, 1)
    blob[at] ^= 1
    with pytest.raises(ts.RecordError):
        decode_map(bytes(blob))


def test_a_record_of_another_kind_or_version_is_refused() -> None:
    blob = encode("one kind", 1, {"x": np.arange(3)}, {"note": "é"})
    arrays, described = decode("one kind", 1, blob)
    assert arrays["x"].tolist() == [0, 1, 2]
    assert described["note"] == "é"
    for kind, version in (("another", 1), ("one kind", 2)):
        with pytest.raises(ts.RecordError, match="one kind"):
            decode(kind, version, blob)


def test_what_is_too_large_to_be_read_back_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenscope_core.record.array_records.MAX_UNPACKED_BYTES", 100)
    with pytest.raises(ts.RecordError, match="100"):
        encode("large", 1, {"x": np.zeros(101, dtype=np.uint8)}, {})


def test_old_captures_make_room_and_traces_stay(tmp_path: Path, lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "x = 1\n")
    store = ts.Store(tmp_path, capture_limit=200_000)
    store.put(trace)
    for i in range(60):
        store.put_capture(f"{i}", bytes(20_000))
    assert store.get_capture("59") is not None
    assert store.get_capture("0") is None
    assert store.get(trace.key) is not None
    assert store.delete_capture("59")
    assert store.get_capture("59") is None
    store.close()
