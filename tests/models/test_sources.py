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
    ModelFormatError,
    ModelNotAllowedError,
    ModelNotFoundError,
    Request,
    Store,
    generate,
    load_model,
)
from tokenscope_core.__main__ import main
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files import catalogue
from tokenscope_core.models.files.model_files import find, locate
from tokenscope_core.models.files.names import MODELS_VARIABLE, SHIPPED_FOLDER, plain_name
from tokenscope_core.models.files.sources import (
    ALLOWED_VARIABLE,
    DEFAULT_VARIABLE,
    ModelSource,
    accepts_others,
    available,
    identified,
    is_allowed,
    source_of,
    sources,
)

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
    monkeypatch.delenv(DEFAULT_VARIABLE, raising=False)
    monkeypatch.setattr(catalogue, "packages_root", lambda: tmp_path / "fetched")
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
    assert sources() == (
        ModelSource(SHIPPED, "shipped", SHIPPED),
        ModelSource("org/name", "cache", "org/name"),
    )
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
from tokenscope_core.models.files.sources import sources
sources()
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2]
    )


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
    assert sources() == (
        ModelSource(SHIPPED, "shipped", SHIPPED),
        ModelSource("org/wanted", "hub", "org/wanted"),
    )
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


def test_a_listed_folder_is_found_by_the_name_it_is_shown_under(
    put_into_cache: Callable[[str], Path],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in ("a/one", "b/one", "b/two", "b/tokenscope-py", "b/cached"):
        shutil.copytree(saved, tmp_path / place)
    put_into_cache("cached")
    monkeypatch.setenv(MODELS_VARIABLE, f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
    labels = {source.label: source.name for source in sources() if source.kind == "folder"}
    assert labels == {
        "a/one": str(tmp_path / "a" / "one"),
        "b/one": str(tmp_path / "b" / "one"),
        "b/cached": str(tmp_path / "b" / "cached"),
        "b/tokenscope-py": str(tmp_path / "b" / "tokenscope-py"),
        "two": str(tmp_path / "b" / "two"),
    }
    for label, name in labels.items():
        assert locate(label).folder == Path(name)
        assert source_of(label).label == source_of(name).label == label
        assert plain_name(label) == name
    # What a name meant before a folder was listed, it still means.
    assert locate("cached").folder == put_into_cache_folder(tmp_path)
    assert locate(SHIPPED).folder == SHIPPED_FOLDER
    (tmp_path / "here" / "two").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert locate("two").folder == tmp_path / "b" / "two", "no model lies beside the server"
    with pytest.raises(ModelNotFoundError, match="neither the short name"):
        locate("../one/")


def put_into_cache_folder(tmp_path: Path) -> Path:
    return tmp_path / "hub" / "models--cached" / "snapshots" / COMMIT


def test_a_short_name_is_allowed_as_the_folder_it_stands_for(
    saved: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(saved.parent))
    monkeypatch.setenv(ALLOWED_VARIABLE, "tiny")
    assert is_allowed("tiny")
    assert is_allowed(str(saved))
    assert [source.name for source in sources()] == [str(saved)]
    service = GenerationService(store)
    runs = [service.submit(name, Request("x = "), "tab") for name in ("tiny", str(saved))]
    assert runs[0].job_id == runs[1].job_id, "one model, loaded once"
    service.close()
    monkeypatch.setenv(ALLOWED_VARIABLE, "tokenscope-py")
    assert not is_allowed("tiny")


def test_the_shell_finds_what_the_picker_lists(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(saved.parent))
    assert main(["score", "x = 1", "--model", "tiny", "--csv"]) == 0
    assert "surprisal" in capsys.readouterr().out


def test_what_cannot_be_opened_is_listed_with_the_reason(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = Path(shutil.copytree(saved, tmp_path / "models" / "spoilt"))
    (spoilt / "model.safetensors").unlink()
    monkeypatch.setenv(MODELS_VARIABLE, str(spoilt.parent))
    source = sources()[1]
    assert (source.label, source.kind) == ("spoilt", "folder")
    assert source.problem is not None
    assert source.problem.startswith("It lacks model.safetensors")
    assert available() == (SHIPPED,), "it is not proposed"


def test_a_model_with_an_adapter_beside_it_is_refused(saved: Path, tmp_path: Path) -> None:
    """Whether it is applied would depend on what is installed."""
    folder = Path(shutil.copytree(saved, tmp_path / "adapted"))
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(ModelFormatError, match="folder of their own"):
        locate(folder)


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/org/name",
        " https://huggingface.co/org/name/ ",
        "https://huggingface.co/org/name/tree/main",
        "https://huggingface.co/org/name/blob/main/config.json",
        "https://huggingface.co/org/name/resolve/main/model.safetensors?download=true",
        "https://huggingface.co/org/name/discussions/3#top",
        "http://www.huggingface.co/org/name?library=transformers",
        "huggingface.co/org/name",
        "https://huggingface.co/org/name.git",
        "https://hf.co/org/name",
        "https://HF.co/org/name",
        "hf://org/name",
        "https://mirror.example/org/name/tree/main",
    ],
)
def test_the_address_of_a_model_s_page_is_its_id(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert ModelChoice(address).name == "org/name"
    assert source_of(address) == ModelSource("org/name", "hub", "org/name")
    with pytest.raises(ModelNotFoundError, match=r"“org/name”.*hub access is switched off"):
        locate(address)
    monkeypatch.setenv(ALLOWED_VARIABLE, "org/name")
    assert is_allowed(address)


def test_the_address_of_a_model_without_an_organisation_is_its_id() -> None:
    assert ModelChoice("https://huggingface.co/gpt2").name == "gpt2"
    assert ModelChoice("https://huggingface.co/gpt2/tree/main").name == "gpt2"


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/org/name/tree/v2",
        "https://huggingface.co/org/name/resolve/0123456789/config.json",
        "https://huggingface.co/datasets/org/name",
        "https://huggingface.co/spaces/org/name",
        "https://huggingface.co/org/name/unknown",
        "https://huggingface.co/models",
        "https://huggingface.co/",
    ],
)
def test_another_page_of_the_hub_is_refused_with_what_it_is(address: str) -> None:
    with pytest.raises(ModelNotFoundError, match="another revision than “main”, or of no model"):
        locate(address)


@pytest.mark.parametrize(
    "text", ["https://example.com/org/name", "https://[", "ftp://hf.co/a/b", "org/na me", ""]
)
def test_other_addresses_are_no_models(text: str) -> None:
    assert ModelChoice(text).name == text
    with pytest.raises(ModelNotFoundError, match="no such folder"):
        locate(text)
