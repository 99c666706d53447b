"""Model files that are damaged or mean harm: a sentence, before memory or time is spent."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest
import tiny_models

import tokenscope_core as ts
from benchmarks import fuzz
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.memory_need import memory_need, shortage
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.foreign import foreign_files
from tokenscope_core.prompts.preview import preview

NESTED = "[" * 200_000 + "]" * 200_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(tiny_models.saved(tmp_path / "tiny"))


def edit(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"]
)
def test_a_file_that_is_nested_without_end_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / name).write_text(NESTED)
    with pytest.raises(ts.ModelFormatError, match=f"{name} cannot be read .it is nested too deep"):
        ts.load_model(folder)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "tokenizer.json"])
def test_a_look_before_a_run_says_the_same(folder: Path, name: str) -> None:
    (folder / name).write_text(NESTED)
    with pytest.raises(ts.ModelFormatError, match=f"{name} cannot be read"):
        preview(locate(folder), ts.Request("x"))


def test_a_vocabulary_of_a_billion_does_not_pass_the_memory_check(folder: Path) -> None:
    edit(folder, vocab_size=10**9)
    facts = facts_of(locate(folder))
    assert memory_need(facts).weights == 10**9 * 32 * 4
    short = shortage(ModelChoice("tiny"), facts, tokens=1, present=64 * 10**9)
    assert short is not None
    assert "128.0 GB for its weights" in short.found


@pytest.mark.parametrize(
    "name",
    ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
     "num_labels", "layer_types"],
)  # fmt: skip
def test_sizes_that_the_files_do_not_hold_are_refused_before_they_are_made(
    folder: Path, name: str
) -> None:
    edit(folder, **{name: 10**9 if name != "layer_types" else [10**9]})
    began = time.thread_time()
    with pytest.raises(ts.ModelError) as caught:
        ts.load_model(folder)
    assert time.thread_time() - began < 5.0
    assert caught.value.action


def test_a_table_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    """GPT-Neo keeps a mask of all pairs of positions."""
    folder = Path(tiny_models.saved(tmp_path / "tiny", "gpt_neo"))
    edit(folder, max_position_embeddings=10**6)
    with pytest.raises(ts.ModelError, match=r"take .* TB|take .* GB; there are"):
        ts.load_model(folder)


def test_an_id_that_no_model_has_is_refused_before_its_place_is_made(folder: Path) -> None:
    """A description of such a vocabulary has eight gigabytes of empty places."""
    path = folder / "tokenizer.json"
    described = json.loads(path.read_text())
    described["model"]["vocab"]["a"] = 2**31
    described["model"]["merges"] = []
    path.write_text(json.dumps(described))
    began = time.thread_time()
    with pytest.raises(ts.CapabilityError, match=r"the id 2,147,483,648"):
        preview(locate(folder), ts.Request("x"))
    with pytest.raises(ts.CapabilityError, match=r"the id 2,147,483,648"):
        ts.load_model(folder)
    assert time.thread_time() - began < 5.0


@pytest.mark.parametrize("ends", ["</s>", [[0]], {"a": 1}, 1.5, [True]])
def test_ends_that_are_no_token_ids_are_refused(folder: Path, ends: object) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    with pytest.raises(ts.ModelFormatError) as caught:
        ts.load_model(folder)
    assert caught.value.action


def test_what_a_library_says_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def refused(found: str) -> ts.ModelFormatError:
        return ts.ModelFormatError(asked="A model was to be loaded.", found=found, action="-")

    class PanicException(BaseException):
        """As libraries written in Rust raise it."""

    for raised in (OSError("/srv/secret is broken"), PanicException("index out of bounds")):
        with (
            caplog.at_level(logging.ERROR),
            pytest.raises(ts.ModelFormatError) as caught,
            foreign_files(refused),
        ):
            raise raised
        assert str(raised) not in str(caught.value)
        assert type(raised).__name__ in caplog.text
    with pytest.raises(KeyboardInterrupt), foreign_files(refused):
        raise KeyboardInterrupt


def test_damaged_models_are_opened_or_refused() -> None:
    kind = next(kind for kind in fuzz.kinds() if kind.name == "configs")
    tally = fuzz.run(kind, 25, seed=7)
    assert tally.crashes == []
    assert tally.refused
    assert tally.opened
