"""Branches and analyses through the generation service."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from waiting import WAIT_S, until

import tokenscope_core as ts
from tokenscope_core.branches.extension import extension
from tokenscope_core.branches.plans import BranchPlan, alternatives, plan
from tokenscope_core.jobs.analysis_tasks import BranchComparison, InfluenceOf
from tokenscope_core.jobs.generation_jobs import Job
from tokenscope_core.jobs.generation_tasks import Branched, Extended
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.loading import load


@pytest.fixture
def parent(trace: ts.Trace) -> ts.Trace:
    return trace


def replaced(parent: ts.Trace, at: int = 4) -> BranchPlan:
    position = parent.prompt_length + at
    return plan(parent, ts.Edit(position, (int(parent.candidate_ids[position, 3]),)))


def test_a_branch_is_the_fork_and_is_found_in_the_store_by_the_key_it_was_to_have(
    service: GenerationService, store: ts.Store, tiny_folder: str, parent: ts.Trace
) -> None:
    chosen = replaced(parent)
    view = service.submit(tiny_folder, Branched((chosen,)), "tab").wait(WAIT_S)
    assert view.phase == "done", view.error
    assert view.trace is not None
    assert view.trace.key == chosen.key
    kept = store.get(chosen.key)
    assert kept is not None
    alone = ts.fork(
        ts.load_model(tiny_folder), parent, chosen.edit.position, token_id=chosen.edit.token_ids[0]
    )
    assert kept.token_ids.tolist() == alone.token_ids.tolist()
    np.testing.assert_allclose(kept.logprob, alone.logprob, atol=1e-5)
    again = service.submit(tiny_folder, Branched((chosen,)), "tab").view()
    assert again.from_store
    assert again.trace is not None
    assert again.trace.key == chosen.key


def test_only_what_is_new_counts_as_progress(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    chosen = replaced(parent, at=10)
    view = service.submit(tiny_folder, Branched((chosen,)), "tab").wait(WAIT_S)
    assert view.new_tokens <= view.most_new_tokens == chosen.request.max_new_tokens < 16


def test_alternatives_come_as_one_job_with_a_trace_each(
    service: GenerationService, store: ts.Store, tiny_folder: str, parent: ts.Trace
) -> None:
    plans = alternatives(parent, parent.prompt_length + 3, 4)
    view = service.submit(tiny_folder, Branched(plans), "tab").wait(WAIT_S)
    assert [trace.key for trace in view.traces] == [p.key for p in plans]
    assert all(store.get(p.key) is not None for p in plans)
    assert view.texts == 4
    assert service.submit(tiny_folder, Branched(plans), "tab").view().from_store


def test_stopping_alternatives_keeps_what_each_had(
    service: GenerationService, store: ts.Store, tiny_folder: str, parent: ts.Trace
) -> None:
    plans = alternatives(parent, parent.prompt_length + 3, 3, max_new_tokens=200)
    ticket = service.submit(tiny_folder, Branched(plans), "tab")
    while len(ticket.traces_so_far()) < 3 and not ticket.view().ended:
        ticket.wait(0.02)
    view = ticket.stop()
    if view.phase == "stopped":
        assert {trace.finish_reason for trace in view.traces} <= {"cancelled", "eos"}
    assert len(view.traces) == 3
    assert all(store.get(trace.key) is not None for trace in view.traces)


def test_a_branch_of_another_models_trace_fails_with_a_sentence(
    service: GenerationService, tmp_path: Path, parent: ts.Trace
) -> None:
    tiny_models.model("gpt2").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    view = service.submit(str(tmp_path), Branched((replaced(parent),)), "tab").wait(WAIT_S)
    assert view.phase == "failed"
    assert "Load the model that the trace came from" in str(view.error)


def test_influence_is_computed_on_the_worker(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    view = service.analyse(tiny_folder, InfluenceOf(parent), "tab").wait(WAIT_S)
    assert view.phase == "done", view.error
    expected = ts.influence(ts.load_model(tiny_folder), parent)
    np.testing.assert_allclose(view.result.total, expected.total, atol=1e-4)
    assert (view.done, view.total) == (len(parent) - 1 - parent.prompt_length,) * 2


def test_two_branches_are_compared_on_the_worker(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    child = service.submit(tiny_folder, Branched((replaced(parent),)), "tab").wait(WAIT_S).trace
    assert child is not None
    view = service.analyse(tiny_folder, BranchComparison(parent, child), "tab").wait(WAIT_S)
    assert view.result.measured == "all"
    assert view.result.divergence is not None


class Endless:
    """An analysis that ends only when it is stopped."""

    tokens = 1

    def recipe(self) -> dict[str, Any]:
        return {"endless": True}

    def run(self, lm: object, report: Callable[[int, int], None], cancelled: Any) -> str:
        step = 0
        while not cancelled():
            step += 1
            report(step, 10**9)
        return "part of it"


def test_a_stopped_analysis_frees_the_worker(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    ticket = service.analyse(tiny_folder, Endless(), "tab")
    until(lambda: ticket.view().done >= 2, "two steps are done")
    assert ticket.view().seconds_left is not None
    stopped = ticket.stop()
    assert (stopped.phase, stopped.result) == ("stopped", "part of it")
    view = service.analyse(tiny_folder, InfluenceOf(parent), "tab").wait(WAIT_S)
    assert view.phase == "done"


def test_what_its_last_subscriber_has_left_is_begun_anew(
    service: GenerationService, tiny_folder: str
) -> None:
    told, go_on = threading.Event(), threading.Event()
    begun: list[Slow] = []

    class Slow(Endless):
        """One that takes its time to end."""

        def run(self, lm: object, report: Callable[[int, int], None], cancelled: Any) -> str:
            begun.append(self)
            part = super().run(lm, report, cancelled)
            told.set()
            assert go_on.wait(WAIT_S)
            return part

    first = service.analyse(tiny_folder, Slow(), "tab")
    until(lambda: first.view().done, "it has begun")
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    assert told.wait(WAIT_S)
    again = service.analyse(tiny_folder, Slow(), "tab")
    go_on.set()
    stopping.join()
    until(lambda: len(begun) == 2 or again.view().ended, "it begins a second time")
    view = again.view()
    assert view.phase == "running", f"{view.result} was taken for all"
    again.stop()


def test_a_failing_analysis_is_explained(service: GenerationService, tiny_folder: str) -> None:
    class Broken(Endless):
        def run(self, lm: object, report: Callable[[int, int], None], cancelled: Any) -> str:
            raise ZeroDivisionError("nothing to divide by")

    view = service.analyse(tiny_folder, Broken(), "tab").wait(WAIT_S)
    assert view.phase == "failed"
    assert "ZeroDivisionError" in str(view.error)


def test_the_prompt_of_several_branches_counts_once(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    plans = alternatives(parent, parent.prompt_length + 3, 4)
    view = service.submit(tiny_folder, Branched(plans), "tab").wait(WAIT_S)
    assert view.prompt_length is not None
    assert view.prompt_tokens <= view.prompt_length
    assert 0 < view.new_tokens <= view.most_new_tokens


def test_branches_at_several_positions_say_how_much_is_left_of_all(
    service: GenerationService, tiny_folder: str, parent: ts.Trace
) -> None:
    late, early = (alternatives(parent, parent.prompt_length + at, 1)[0] for at in (12, 2))
    view = service.submit(tiny_folder, Branched((late, early)), "tab").wait(WAIT_S)
    most = late.request.max_new_tokens + early.request.max_new_tokens
    assert view.new_tokens <= view.most_new_tokens == most
    assert view.seconds_left is not None
    assert view.seconds_left >= 0.0


def test_a_branch_stopped_before_a_token_of_its_own_leaves_nothing_behind(
    tiny_folder: str, parent: ts.Trace
) -> None:
    plans = alternatives(parent, parent.prompt_length + 3, 3)
    job = Job("id", ModelChoice(tiny_folder), Branched(plans), clock=time.monotonic)
    kept: list[ts.Trace] = []
    job.work(ts.load_model(tiny_folder), lambda: False, kept.append)
    assert job.view().phase == "stopped"
    assert kept == []
    assert job.traces_so_far() == ()


def test_a_failed_run_does_not_hold_its_model_in_memory(store: ts.Store, tiny_folder: str) -> None:
    held: list[weakref.ref[object]] = []

    def loading(*arguments: Any) -> ts.LanguageModel:
        lm = load(*arguments)
        held.append(weakref.ref(lm.model))
        return lm

    service = GenerationService(store, load=loading)
    view = service.submit(tiny_folder, ts.Request("a" * 400, 400), "tab").wait(WAIT_S)
    assert isinstance(view.error, ts.ContextLengthError)
    until(lambda: all(loaded.idle for loaded in service.loaded_models()), "the model is idle")
    assert service.unload(tiny_folder)

    def freed() -> bool:
        gc.collect()
        return held[0]() is None

    until(freed, "nothing refers to the model")
    service.close()


def test_memory_that_runs_out_takes_the_kept_prefixes_with_it(
    store: ts.Store, tiny_folder: str
) -> None:
    class Hungry(Endless):
        def run(self, lm: object, report: Callable[[int, int], None], cancelled: Any) -> str:
            raise MemoryError

    loaded: list[ts.LanguageModel] = []

    def loading(*arguments: Any) -> ts.LanguageModel:
        loaded.append(load(*arguments))
        return loaded[-1]

    service = GenerationService(store, load=loading)
    service.submit(tiny_folder, ts.Request("def add(", 4), "tab").wait(WAIT_S)
    assert loaded[0].prefixes.nbytes
    view = service.analyse(tiny_folder, Hungry(), "tab").wait(WAIT_S)
    assert "memory is used up" in str(view.error)
    service.close()
    assert loaded[0].prefixes.nbytes == 0


def test_a_longer_run_is_found_under_the_key_it_was_to_have(
    service: GenerationService, store: ts.Store, tiny_folder: str, parent: ts.Trace
) -> None:
    wanted = extension(parent, 6)
    view = service.submit(tiny_folder, Extended(wanted), "tab").wait(WAIT_S)
    assert view.phase == "done", view.error
    assert view.extends
    assert view.parent is parent
    assert view.trace is not None
    assert view.trace.key == wanted.key
    assert view.new_tokens == view.most_new_tokens == 6
    whole = service.submit(tiny_folder, wanted.request, "tab").view()
    assert whole.from_store, "the run that asks for all at once is the same"
