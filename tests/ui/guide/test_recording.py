"""The recorded session of the guide is what the pages need, and what its model writes today."""

from __future__ import annotations

import numpy as np
import pytest
from support.real_model import real_gguf

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.jobs.analysis_tasks import BranchComparison, key_of
from tokenscope_ui.guide.recording import FILE, Recording, read, write
from tokenscope_ui.guide.steps import LAYER, steps_of


@pytest.fixture(scope="module")
def recording() -> Recording:
    return read(FILE.read_bytes())


def test_it_holds_a_run_its_branch_and_what_the_steps_show_of_them(recording: Recording) -> None:
    root, child = (recording.traces[branch.key] for branch in recording.session.branches)
    assert child.branch is not None and child.branch[0] == root.key
    needed = {
        key_of(BranchComparison(root, child)),
        *(key_of(AttentionOf(trace, Selection((LAYER,)))) for trace in (root, child)),
    }
    assert recording.results.keys() == needed


def test_what_the_steps_say_of_the_code_is_so(recording: Recording) -> None:
    root, child = (recording.traces[branch.key] for branch in recording.session.branches)
    answers = [trace.text[trace.text.rindex("def is_leap") :] for trace in (root, child)]
    right = []
    for answer in answers:
        scope: dict[str, object] = {}
        exec(answer.partition("```")[0], scope)
        is_leap = scope["is_leap"]
        assert callable(is_leap)
        right.append([bool(is_leap(year)) for year in (2000, 1900, 2024, 2023)])
    assert right == [[False, False, False, False], [True, False, True, False]]
    assert "% 40000 ==" in answers[0] and "% 400 ==" in answers[1]
    assert "63.35 %" in steps_of(recording)[0].text and "12.79 %" in steps_of(recording)[0].text


def test_the_model_writes_it_again(recording: Recording) -> None:
    root, child = (recording.traces[branch.key] for branch in recording.session.branches)
    lm = ts.load_model(str(real_gguf()))
    again = ts.generate(lm, root.request)
    assert child.branch is not None
    position = child.branch[1].position
    forked = ts.fork(lm, again, position=position, token_id=int(child.token_ids[position]))
    for recorded, now in ((root, again), (child, forked)):
        assert recorded.token_ids.tolist() == now.token_ids.tolist()
        np.testing.assert_allclose(recorded.column("logprob"), now.column("logprob"), atol=2e-4)


def test_a_file_is_read_as_it_was_written(recording: Recording) -> None:
    again = read(write(recording))
    assert again.session == recording.session
    assert again.traces.keys() == recording.traces.keys()
    assert again.results == recording.results
