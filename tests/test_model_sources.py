"""Where models come from, and what the operator of a server allows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import tiny_models

from tokenscope_core import (
    ModelChoice,
    ModelNotAllowedError,
    Request,
    Store,
    generate,
    load_model,
)
from tokenscope_core.model_files import SHIPPED_FOLDER, find, locate
from tokenscope_core.model_sources import (
    ALLOWED_VARIABLE,
    MODELS_VARIABLE,
    Source,
    accepts_others,
    available,
    identified,
    is_allowed,
    sources,
)
from tokenscope_core.service import GenerationService

SHIPPED = SHIPPED_FOLDER.name
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    tiny_models.model("llama").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache, and no operator."""
    monkeypatch.delenv(ALLOWED_VARIABLE, raising=False)
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def put_into_cache(cache: Path, saved: Path) -> Callable[[str], Path]:
    """Lay a model into the cache as a download does."""

    def put(name: str) -> Path:
        repo = cache / f"models--{name.replace('/', '--')}"
        snapshot = Path(shutil.copytree(saved, repo / "snapshots" / COMMIT))
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(COMMIT)
        return snapshot

    return put


def test_complete_models_of_the_cache_are_listed_and_found(
    put_into_cache: Callable[[str], Path], saved: Path
) -> None:
    put_into_cache("org/name")
    (put_into_cache("org/half") / "model.safetensors").unlink()
    assert sources() == (Source(SHIPPED, "shipped"), Source("org/name", "cache"))
    files = find("org/name")
    assert files is not None
    assert files.name == "org/name"
    assert files.fingerprint_in() == locate(saved).fingerprint_in()


def test_a_cached_model_answers_from_the_store(
    put_into_cache: Callable[[str], Path], store: Store
) -> None:
    put_into_cache("org/name")
    request = Request("x = ", max_new_tokens=2)
    store.put(generate(load_model("org/name"), request))
    service = GenerationService(store)
    assert service.submit("org/name", request, "tab").view().from_store
    service.close()


def test_listing_imports_no_torch(cache: Path) -> None:
    script = """
import sys
from tokenscope_core.model_sources import sources
sources()
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent.parent)


@pytest.mark.parametrize(
    ("allowed", "name", "expected"),
    [
        ("tokenscope-py", SHIPPED, True),
        ("tokenscope-py", "org/name", False),
        ("org/*", "org/name", True),
        ("org/*", "other/name", False),
        ("org/*,other/name", "other/name", True),
        ("org/a" + os.pathsep + "org/b", "org/b", True),
        ("", SHIPPED, False),
        ("*", "org/name", True),
        ("*", SHIPPED, True),
    ],
)
def test_the_operator_lists_names_and_patterns(
    monkeypatch: pytest.MonkeyPatch, allowed: str, name: str, expected: bool
) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, allowed)
    assert is_allowed(name) is expected


def test_without_a_list_everything_is_allowed() -> None:
    assert is_allowed("anyone/anything")
    assert accepts_others()


def test_a_folder_is_allowed_by_what_it_is_not_by_how_it_is_written(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(saved, tmp_path / "org" / "name")
    monkeypatch.setenv(ALLOWED_VARIABLE, "org/name")
    assert is_allowed("org/name"), "a folder beside the server, written the short way"
    assert is_allowed(str(tmp_path / "org" / ".." / "org" / "name"))
    monkeypatch.chdir(saved)
    assert is_allowed("org/name"), "the hub's model of that name"
    monkeypatch.setenv(ALLOWED_VARIABLE, str(tmp_path / "org" / "*"))
    assert is_allowed(str(tmp_path / "org" / "name"))
    assert not is_allowed(str(saved))
    (tmp_path / "link").symlink_to(saved)
    assert not is_allowed(str(tmp_path / "link"))


def test_what_is_not_allowed_is_neither_listed_nor_run_nor_told_from_the_store(
    saved: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request("x = ", max_new_tokens=2)
    store.put(generate(load_model(saved), request))
    monkeypatch.setenv(MODELS_VARIABLE, str(saved.parent))
    monkeypatch.setenv(ALLOWED_VARIABLE, "tokenscope-py,org/wanted")
    assert sources() == (Source(SHIPPED, "shipped"), Source("org/wanted", "hub"))
    assert not accepts_others()
    service = GenerationService(store)
    for model in (str(saved), ModelChoice(str(saved), "bfloat16"), "org/other"):
        with pytest.raises(ModelNotAllowedError, match="tokenscope-py, org/wanted"):
            service.submit(model, request, "tab")
    service.close()


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_a_trace_names_its_model_with_the_precision_it_ran_in(
    saved: Path, monkeypatch: pytest.MonkeyPatch, dtype: str | None
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(saved.parent))
    files = locate(saved)
    loaded = tiny_models.language_model().identity
    identity = type(loaded)(files.name, files.fingerprint_in(dtype), loaded.vocabulary_size)
    assert identified(identity) == ModelChoice(str(saved), dtype)
    changed = type(loaded)(files.name, "another fingerprint", loaded.vocabulary_size)
    assert identified(changed) == ModelChoice(str(saved)), "called the same"
    assert identified(type(loaded)("nobody", "nothing", 3)) is None
    assert available() == (SHIPPED, str(saved))
