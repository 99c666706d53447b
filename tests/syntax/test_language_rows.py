"""A language is one row: nothing is lacking in it, and no other language is read differently."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenscope_core.syntax.documents import recognition
from tokenscope_core.syntax.documents.recognition import error_share, may_become, recognise
from tokenscope_core.syntax.grammar.categories import CategoryMap
from tokenscope_core.syntax.grammar.languages import (
    LABELS,
    LANGUAGES,
    ROWS,
    LanguageRow,
    grammar,
    named,
    relatives,
)

SAMPLES = Path(__file__).resolve().parents[1] / "syntax_samples"
MAPS = Path(recognition.__file__).parents[1] / "grammar" / "maps"


def sample(language: str) -> bytes:
    return (SAMPLES / f"{language}.txt").read_bytes()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language more, the first of all: its grammar takes any text whole and says nothing of it,
    as one for templates does, and its map is not written yet."""
    as_it_was = dict(ROWS)
    row = {name: getattr(ROWS["bash"], name) for name in LanguageRow.__slots__}
    row |= {"label": "Stub", "by_grammar": True, "classifier": frozenset(), "shebang": None}
    row |= {"fences": frozenset(["stub"]), "family": "stub", "map": "nowhere"}
    ROWS.clear()
    ROWS.update({"stub": LanguageRow(**row), **as_it_was})

    def share(text: bytes, language: str) -> float:
        return 0.0 if language == "stub" else error_share(text, language)

    def whole(text: bytes, language: str) -> bool:
        return language == "stub" or may_become(text, language)

    says_something = recognition._says_something
    monkeypatch.setattr(recognition, "error_share", share)
    monkeypatch.setattr(recognition, "may_become", whole)
    monkeypatch.setattr(
        recognition, "_says_something", lambda t, name: name != "stub" and says_something(t, name)
    )
    recognise.cache_clear()
    yield "stub"
    ROWS.clear()
    ROWS.update(as_it_was)
    recognise.cache_clear()


def beginnings() -> list[bytes]:
    """Of every sample, whole and cut in the middle of a line."""
    return [sample(name)[:length] for name in LANGUAGES for length in (60, 150, 401, 10_000)]


@pytest.mark.parametrize("classified", [True, False])
def test_a_language_more_changes_nothing_in_how_others_are_told(
    classified: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not classified:
        monkeypatch.setattr(recognition, "_classifier", lambda: None)
    recognise.cache_clear()
    before = [recognise(text) for text in beginnings()]
    request.getfixturevalue("stub")
    assert [recognise(text) for text in beginnings()] == before
    assert any(found.language is not None and not found.likely for found in before)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row_is_whole(language: str) -> None:
    row = ROWS[language]
    assert row.label == LABELS[language] and row.label.strip()
    assert row.endings and row.fences and row.closers and row.fillers
    assert all(text == text.lower() for text in row.endings | row.fences)
    assert row.classifier or len(relatives(language)) > 1, "nothing tells it"
    assert named(fence=language) == language
    assert row.family in ROWS and ROWS[row.family].family == row.family
    assert callable(getattr(importlib.import_module(row.module), row.entry))
    assert isinstance(grammar(language).categories, CategoryMap)
    assert sample(language).strip(), "test_languages reads it"


def test_every_map_and_every_sample_is_of_a_language() -> None:
    maps = {file.stem for file in MAPS.glob("*.py")} - {"__init__"}
    assert maps == {row.map for row in ROWS.values()}
    assert {file.stem for file in SAMPLES.glob("*.txt")} == set(LANGUAGES)


def test_an_ending_a_fence_and_a_name_lead_to_one_language() -> None:
    for kind in ("fences", "files", "classifier"):
        words = [word for row in ROWS.values() for word in getattr(row, kind)]
        assert len(set(words)) == len(words), kind
    endings = [ending for row in ROWS.values() for ending in row.endings]
    assert len(set(endings)) == len(endings)


def test_the_classifier_knows_what_it_is_said_to_say() -> None:
    from magika import ContentTypeLabel

    known = {str(label) for label in ContentTypeLabel}
    assert {word for row in ROWS.values() for word in row.classifier} <= known


@pytest.mark.parametrize("language", [name for name, row in ROWS.items() if row.by_grammar])
def test_a_grammar_that_tells_a_language_takes_no_other_for_it(language: str) -> None:
    for other in set(LANGUAGES) - set(relatives(language)):
        text = sample(other)
        least = min(error_share(text, name) for name in relatives(other))
        assert error_share(text, language) > least, f"{other} is {language}, too"
