"""Nothing is lost at the edges: a run that breaks off keeps its tokens and says why it ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import tiny_models
import torch
from faults import Broken, no_numbers, raising
from waiting import WAIT_S, until

from tokenscope_core import (
    ContextLengthError,
    LanguageModel,
    ModelError,
    OutOfMemoryError,
    Request,
    Store,
    TokenScopeError,
)
from tokenscope_core.branches.growing import fork
from tokenscope_core.branches.plans import alternatives
from tokenscope_core.decoding.request_run import generate
from tokenscope_core.jobs.generation_jobs import JobView, Ticket
from tokenscope_core.jobs.generation_tasks import Branched, Task
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.language_model import describe

PROMPT = "def add("


class Service:
    """A service that has loaded what a test gives it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._services: list[GenerationService] = []

    def __call__(self, lm: LanguageModel, request: Request | Task) -> Ticket:
        self._services.append(GenerationService(self._store, load=lambda *_: lm))
        return self._services[-1].submit("tokenscope-py", request, "tab")

    def until_idle(self) -> None:
        service = self._services[-1]
        until(lambda: all(model.idle for model in service.loaded_models()), "the model is idle")

    def close(self) -> None:
        for service in self._services:
            service.close()


@pytest.fixture
def run(store: Store) -> Iterator[Service]:
    service = Service(store)
    yield service
    service.close()


def assert_kept(view: JobView, store: Store, *, new_tokens: int) -> None:
    """The tokens before the accident are those of an undisturbed run, on record by their key."""
    assert view.phase == "failed"
    assert view.trace is not None
    assert view.trace.finish_reason == "cancelled"
    whole = generate(tiny_models.language_model(), view.request)
    length = view.trace.prompt_length + new_tokens
    assert view.trace.token_ids.tolist() == whole.token_ids[:length].tolist()
    assert store.get(view.trace.key) is not None


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_keeps_the_tokens_so_far(
    run: Service, store: Store, error: Exception
) -> None:
    broken = Broken(raising(error), after=4)  # the prompt and three steps
    view = run(broken.lm, Request(PROMPT, max_new_tokens=8)).wait(WAIT_S)
    assert isinstance(view.error, OutOfMemoryError)
    assert "memory" in view.error.found
    assert_kept(view, store, new_tokens=4)


def test_logits_that_are_no_numbers_keep_the_tokens_before_them(run: Service, store: Store) -> None:
    view = run(Broken(no_numbers, after=3).lm, Request(PROMPT, max_new_tokens=8)).wait(WAIT_S)
    assert isinstance(view.error, ModelError)
    assert "not a number" in str(view.error)
    assert_kept(view, store, new_tokens=3)


def test_a_context_that_fills_up_says_how_many_tokens_it_holds(run: Service, store: Store) -> None:
    model, tokenizer = tiny_models.model("gpt2"), tiny_models.tokenizer()
    lm = describe(model, tokenizer, tiny_models.files("learned positions"))
    room = tiny_models.CONTEXT - len(tokenizer(PROMPT)["input_ids"])
    # A configuration that does not state its bound, of a model that has one all the same.
    unstated = replace(lm, context_length=None)
    view = run(unstated, Request(PROMPT, max_new_tokens=room + 50)).wait(WAIT_S)
    assert isinstance(view.error, ContextLengthError)
    assert view.error.context_length == tiny_models.CONTEXT
    assert view.trace is not None
    assert len(view.trace) >= tiny_models.CONTEXT
    assert store.get(view.trace.key) is not None
    fitting = view.error.context_length - view.error.prompt_tokens
    again = run(unstated, Request(PROMPT, max_new_tokens=fitting)).wait(WAIT_S)
    assert again.phase == "done"


def test_branches_that_fill_a_context_up_say_so_of_themselves(run: Service) -> None:
    lm = describe(
        tiny_models.model("gpt2"), tiny_models.tokenizer(), tiny_models.files("learned positions")
    )
    unstated = replace(lm, context_length=None, end_ids=frozenset())
    parent = run(unstated, Request(PROMPT, max_new_tokens=30)).wait(WAIT_S).trace
    assert parent is not None
    position, asked = parent.prompt_length + 20, tiny_models.CONTEXT
    grown = alternatives(parent, position, 3, max_new_tokens=asked)
    view = run(unstated, Branched(grown)).wait(WAIT_S)
    error = view.error
    assert isinstance(error, ContextLengthError)
    assert error.branch
    figures = (error.prompt_tokens, error.max_new_tokens, error.context_length)
    assert figures == (position + 1, asked, tiny_models.CONTEXT)
    assert len(view.traces) == 3


def test_a_branch_too_long_for_its_model_is_not_offered_as_a_prompt() -> None:
    lm = tiny_models.language_model()
    parent = generate(lm, Request(PROMPT, max_new_tokens=4))
    with pytest.raises(ContextLengthError) as caught:
        fork(lm, parent, len(parent), text="x = 1\n" * 4, max_new_tokens=tiny_models.CONTEXT)
    assert "The branch begins by reading" in caught.value.asked
    assert not caught.value.tail
    assert "prompt" not in caught.value.action


def test_anything_unexpected_keeps_the_tokens_and_the_service_goes_on(
    run: Service, store: Store
) -> None:
    broken = Broken(raising(ZeroDivisionError("a bug")), after=2)
    view = run(broken.lm, Request(PROMPT, max_new_tokens=8)).wait(WAIT_S)
    assert type(view.error) is TokenScopeError
    assert "ZeroDivisionError" in view.error.found
    assert "a bug" not in str(view.error), "an exception's own text is for the log alone"
    assert_kept(view, store, new_tokens=2)


def test_an_accident_before_the_first_token_leaves_an_error_alone(run: Service) -> None:
    view = run(tiny_models.language_model(), Request("x " * 2000)).wait(WAIT_S)
    assert isinstance(view.error, ContextLengthError)
    assert view.trace is None


def test_a_stop_while_a_long_prompt_is_read_keeps_the_part_read(run: Service, store: Store) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def wait(output: Any) -> Any:
        entered.set()
        assert go_on.wait(WAIT_S)
        return output

    broken = Broken(wait, after=1)
    lm = replace(broken.lm, context_length=None)
    ticket = run(lm, Request("x = 1\n" * 1000, max_new_tokens=8))
    assert entered.wait(WAIT_S)
    view = ticket.view()
    assert view.prompt_length is not None
    assert 0 < view.prompt_tokens < view.prompt_length
    stopped = ticket.stop()
    passes = broken.passes
    go_on.set()
    run.until_idle()
    assert broken.passes == passes, "no further chunk is read"
    assert stopped.phase == "stopped"
    assert stopped.trace is not None
    assert len(stopped.trace) == view.prompt_tokens
    assert store.get(stopped.trace.key) is not None
