"""Shared fixtures: tiny random models, one of them as a folder; the store in a folder of its own,
and the service over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENSCOPE_PRELOAD", "off")  # of pages that only read what is stored

import pytest
import tiny_models
from hypothesis import HealthCheck, settings
from waiting import WAIT_S

from tokenscope_core import LanguageModel, Request, Sampling, Store, Trace
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models import weight_layout
from tokenscope_core.models.trial import records

# A busy machine may be slow; that is not what these tests are about.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _own_records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is found of models by trying is not remembered for the person at the machine."""
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "records_folder", lambda kind: folder / kind)
        patch.setattr(weight_layout, "records_folder", lambda kind: folder / kind)
        yield


@pytest.fixture(params=tiny_models.FAMILIES)
def any_lm(request: pytest.FixtureRequest) -> LanguageModel:
    return tiny_models.language_model(request.param)


@pytest.fixture
def lm() -> LanguageModel:
    return tiny_models.language_model()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that holds a tiny model; nobody may change it."""
    return tiny_models.saved(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def service(store: Store) -> Iterator[GenerationService]:
    running = GenerationService(store)
    yield running
    running.close()


@pytest.fixture
def trace(service: GenerationService, tiny_folder: str) -> Trace:
    """What the service has had the tiny model write."""
    request = Request("def add(", 16, Sampling(temperature=0.9, seed=1))
    found = service.submit(tiny_folder, request, "tab").wait(WAIT_S).trace
    assert found is not None
    return found
