"""An edit says what changes hands, or is refused."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

import tokenscope_core as ts
from tokenscope_core import Edit


def test_an_edit_that_edits_nothing_is_refused_and_names_the_way_on() -> None:
    with pytest.raises(ts.RequestError, match="continue_from"):
        Edit(5, (), removed=0)


@pytest.mark.parametrize(
    "values", [{"removed": -1}, {"kept": 1.5}, {"token_ids": (-1,)}, {"removed": True}]
)
def test_what_is_no_number_of_tokens_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ts.RequestError, match="whole number"):
        Edit(**{"position": 5, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edit",
    [Edit.continue_from(5), Edit(5), Edit(5, (1, 2), removed=0), Edit(0, removed=0, kept=3)],
)
def test_an_edit_comes_back_as_it_was(edit: Edit) -> None:
    written = json.loads(json.dumps(edit.to_json()))
    assert set(written) == {"position", "token_ids", "removed", "kept"}
    assert Edit.from_json(written) == edit
    for again in (pickle.loads(pickle.dumps(edit)), copy.deepcopy(edit)):
        assert again == edit
        assert hash(again) == hash(edit)


def test_a_fork_alone_is_the_recipe_that_earlier_releases_wrote() -> None:
    fork = Edit.continue_from(7)
    assert fork.to_json() == {"position": 7, "token_ids": [], "removed": 0, "kept": 0}
    assert fork.next_position == 7
    assert fork == Edit.from_json(fork.to_json())


def test_a_fork_alone_can_be_rebuilt_from_its_fields() -> None:
    fork = Edit.continue_from(5)
    assert dataclasses.replace(fork, position=6) == Edit.continue_from(6)
    assert eval(repr(fork), {"Edit": Edit}) == fork
    # Saying that the model writes on makes no other edit of one that changes something.
    assert Edit(5, (1,), writes_on=True) == Edit(5, (1,))
