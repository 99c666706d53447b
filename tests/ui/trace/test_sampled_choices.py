"""What the screen says of how a token was chosen."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import tiny_models

from tokenscope_core import Request, Sampling, Trace, generate
from tokenscope_core.display.tokens import not_favourite
from tokenscope_ui.components.strip import TokenFlag
from tokenscope_ui.drawing.charts import REMOVED, candidate_chart, candidate_table
from tokenscope_ui.trace import sampled_choices
from tokenscope_ui.trace.strip_payload import build_payload


@cache
def trace(sampling: Sampling) -> Trace:
    request = Request("def f(x):\n", max_new_tokens=40, sampling=sampling, candidates=12)
    return generate(tiny_models.language_model(), request)


WARM = Sampling(temperature=1.5, top_k=5, seed=3)


def test_a_prompt_was_not_chosen() -> None:
    run = trace(WARM)
    for position in range(run.prompt_length):
        assert sampled_choices.in_words(run, position) is None
    assert not not_favourite(run)[: run.prompt_length].any()


def test_a_token_that_was_not_the_favourite_is_named_with_it() -> None:
    run = trace(WARM)
    changed = np.flatnonzero(not_favourite(run))
    assert 0 < len(changed) < len(run) - run.prompt_length
    for position in changed:
        words = sampled_choices.in_words(run, position)
        favourite = run.vocabulary.token_bytes[int(run.candidate_ids[position, 0])]
        assert words is not None
        assert words.startswith("Sampling chose the ")
        assert f"The raw favourite was {sampled_choices.code(favourite)} (" in words
        assert f"{100 * np.exp(run.sampled_logprob[position]):.2f} %" in words


def test_the_favourite_is_called_so() -> None:
    run = trace(WARM)
    position = int(np.flatnonzero(run.rank[run.prompt_length :] == 1)[0]) + run.prompt_length
    assert (sampled_choices.in_words(run, position) or "").startswith(
        "The raw favourite, drawn with"
    )


def test_greedy_is_certain_of_the_favourite_unless_a_penalty_forbids_it() -> None:
    plain = trace(Sampling())
    assert not not_favourite(plain).any()
    assert "certain to be taken" in (sampled_choices.in_words(plain, len(plain) - 1) or "")
    penalised = trace(Sampling(no_repeat_ngram_size=1))
    assert not_favourite(penalised).any()


@pytest.mark.parametrize(
    ("rank", "words"), [(2, "2nd"), (3, "3rd"), (11, "11th"), (21, "21st"), (112, "112th")]
)
def test_places_are_ordinals(rank: int, words: str) -> None:
    run = trace(WARM)
    position = int(np.flatnonzero(not_favourite(run))[0])
    ranks = run.rank.copy()
    ranks[position] = rank
    run = Trace(**{**fields_of(run), "metrics": {**run.metrics, "rank": ranks}})
    assert f"the {words} favourite" in (sampled_choices.in_words(run, position) or "")


def fields_of(run: Trace) -> dict[str, object]:
    return {
        name: getattr(run, name) for name, field in run.__dataclass_fields__.items() if field.init
    }


def test_the_strip_marks_them() -> None:
    run = trace(WARM)
    flags = json.loads(build_payload(run, "surprisal", run="r"))["flags"]
    marked = [bool(flag & TokenFlag.NOT_FAVOURITE) for flag in flags]
    assert marked == not_favourite(run).tolist()


def test_candidates_that_the_filters_removed_are_told_apart() -> None:
    run = trace(WARM)
    position = len(run) - 1
    table = candidate_table(run, position, 10)
    assert table["kind"].tolist().count(REMOVED) == 5
    removed = table[table["kind"] == REMOVED]
    assert removed["mark"].str.endswith("✕").all()
    assert set(removed["which"]) == {"removed by the filters"}
    legend = candidate_chart(table).to_dict()["layer"][0]["encoding"]["fill"]["scale"]["domain"]
    assert legend == ["taken", "candidate", REMOVED, "tail"]


def test_nothing_is_called_removed_where_nothing_was_drawn() -> None:
    run = trace(WARM)
    table = candidate_table(run, run.prompt_length - 1, 10)
    assert REMOVED not in set(table["kind"])


def test_a_token_of_backticks_stays_code() -> None:
    assert sampled_choices.code(b"a`b``") == "`aˋbˋˋ`"
