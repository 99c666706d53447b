"""How long a text is for a model, before it runs: what the run then finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.models.files.model_files import ModelFiles, find
from tokenscope_core.prompts.extent import extent_of, surely_fits, without_needless_overlap

CONTEXT = tiny_models.CONTEXT
TEXT = "".join(f"def f{i}(é):\n    return é + {i}\n" for i in range(60))


@pytest.fixture
def files(tiny_folder: str) -> ModelFiles:
    found = find(tiny_folder)
    assert found is not None
    return found


def test_tokens_are_those_that_the_model_reads(files: ModelFiles, lm: ts.LanguageModel) -> None:
    extent = extent_of(files, TEXT, CONTEXT)
    assert (extent.tokens, extent.lead, extent.context) == (len(lm.encode(TEXT)), 1, CONTEXT)


def test_from_its_tail_line_on_a_text_fits_and_from_the_line_before_hardly_more(
    files: ModelFiles, lm: ts.LanguageModel
) -> None:
    line = extent_of(files, TEXT, CONTEXT).tail_line
    assert line is not None
    lines = TEXT.splitlines(keepends=True)
    assert len(lm.encode("".join(lines[line - 1 :]))) <= CONTEXT
    assert len(lm.encode("".join(lines[line - 2 :]))) > CONTEXT - 16
    assert extent_of(files, "x" * 2000, CONTEXT).tail_line is None
    assert extent_of(files, "x = 1\n", CONTEXT).tail_line == 1


def test_what_is_sure_to_fit_fits(lm: ts.LanguageModel) -> None:
    for text in ("é" * 252, "👋" * 126, "x" * 504):
        assert surely_fits(text, CONTEXT) and len(lm.encode(text)) <= CONTEXT
    assert not surely_fits("x" * CONTEXT, CONTEXT)
    assert surely_fits("x" * 10**6, None)


def test_a_request_is_recorded_as_the_run_records_it(
    files: ModelFiles, lm: ts.LanguageModel
) -> None:
    for text in ("x = 1", TEXT):
        request = ts.Request(text, 0, overlap=16)
        decided = without_needless_overlap(files, request)
        assert decided == ts.score(lm, text, overlap=16).request
    with pytest.raises(ts.RequestError, match="overlap"):
        without_needless_overlap(files, replace(request, overlap=CONTEXT))
