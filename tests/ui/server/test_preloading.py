"""The default model is asked for ahead of a run: within the operator's limits, and only once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tiny_models
from waiting import WAIT_S, until

from tokenscope_core import LanguageModel, Request, Store
from tokenscope_core.jobs.service import GenerationService, Limits
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.load_progress import LoadProgress, Report
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_ui.runs.progress import waiting_text
from tokenscope_ui.server.preloading import preload


@pytest.fixture(autouse=True)
def _tiny_by_default(tiny_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODEL", tiny_folder)
    monkeypatch.delenv("TOKENSCOPE_ALLOWED_MODELS", raising=False)


def test_the_model_that_runs_take_by_default_is_loaded(
    service: GenerationService, tiny_folder: str
) -> None:
    preload(service)
    until(
        lambda: [model.choice.name for model in service.loaded_models()] == [tiny_folder],
        "the model is loaded",
    )
    ticket = service.submit(tiny_folder, Request("def add(", 4), "tab")
    assert ticket.wait(WAIT_S).trace is not None
    assert len(service.queues()) == 1, "the run took the model that was there"


def test_nothing_that_the_operator_forbids_is_loaded(
    service: GenerationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "some/other")
    preload(service)
    assert service.queues() == ()


def test_where_a_model_is_in_use_already_no_other_is_loaded(
    service: GenerationService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tiny_models.saved(tmp_path_factory.mktemp("other"), "gpt2")
    service.submit(other, Request("def add(", 4), "tab").wait(WAIT_S)
    preload(service)
    assert [queue.choice.name for queue in service.queues()] == [other]


@pytest.fixture
def held(store: Store) -> Iterator[tuple[GenerationService, list[bool]]]:
    """A service whose models load when a list has an item, and until then are half there."""
    go_on: list[bool] = []

    def load(files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        report(LoadProgress("loading", 250_000_000, 500_000_000))
        until(lambda: bool(go_on), "the test has looked")
        return tiny_models.language_model()

    running = GenerationService(store, limits=Limits(), load=load)
    yield running, go_on
    go_on.append(True)
    running.close()


def test_a_run_that_is_asked_for_early_says_how_far_the_model_is(
    held: tuple[GenerationService, list[bool]], tiny_folder: str
) -> None:
    service, go_on = held
    preload(service)
    ticket = service.submit(tiny_folder, Request("def add(", 4), "tab")
    until(lambda: "250" in waiting_text(ticket.view()), "how far it has come")
    text = waiting_text(ticket.view())
    assert text.startswith("Loading the model")
    assert "500" in text
    go_on.append(True)
    assert ticket.wait(WAIT_S).trace is not None
