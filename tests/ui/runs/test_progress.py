"""What a page says of a run that has not ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokenscope_core import ModelChoice, Request
from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_ui.runs.progress import progress_share, progress_text

LOADING = JobView("id", ModelChoice("/models/tiny"), Request("x"), "loading")
RUNNING = replace(LOADING, phase="running", prompt_length=3000)
MB = 10**6


@pytest.mark.parametrize(
    ("load", "text", "share"),
    [
        (None, "Loading the model `tiny` …", 0.0),
        (LoadProgress("starting"), "Starting torch for `tiny` …", 0.0),
        (
            LoadProgress("loading", 120 * MB, 480 * MB),
            "Loading the model `tiny` … 120.0 of 480.0 MB",
            0.25,
        ),
        (
            LoadProgress("loading", 999 * MB, 2000 * MB),
            "Loading the model `tiny` … 1.0 of 2.0 GB",
            0.4995,
        ),
        (LoadProgress("loading", MB, MB), "Checking that `tiny` computes as it should …", 1.0),
        (LoadProgress("downloading"), "Asking the hub for `tiny` …", 0.0),
        (
            LoadProgress("downloading", 35 * MB, 100 * MB),
            "Downloading `tiny` … 35 % of 100.0 MB",
            0.35,
        ),
    ],
)
def test_loading_says_how_many_bytes_of_how_many(
    load: LoadProgress | None, text: str, share: float
) -> None:
    view = replace(LOADING, load=load)
    assert progress_text(view) == text
    assert progress_share(view) == pytest.approx(share)


def test_waiting_for_memory_says_for_whom() -> None:
    view = replace(LOADING, load=LoadProgress("waiting"))
    assert "other models are running" in progress_text(view)


def test_a_long_prompt_says_how_far_it_has_been_read() -> None:
    view = replace(RUNNING, prompt_tokens=512)
    assert progress_text(view) == "Reading the prompt … 512 of 3,000 tokens"
    assert progress_share(view) == pytest.approx(512 / 3000)


def test_a_model_name_cannot_end_its_own_quotation() -> None:
    view = replace(LOADING, model=ModelChoice("a`b![](http://x)"))
    assert progress_text(view).count("`") == 2
