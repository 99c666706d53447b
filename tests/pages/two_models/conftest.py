"""Two models on offer, and their page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from two_models_screen import PAGE, choose

App = Any


@pytest.fixture(scope="session")
def byte_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another model, whose every token is a single byte, and which begins without a mark."""
    folder = tmp_path_factory.mktemp("other models") / "bytes"
    vocabulary = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    tiny_models.model("llama", seed=1).save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def offered(app: App, tiny_folder: str, byte_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = (str(Path(folder).parent) for folder in (tiny_folder, byte_folder))
    monkeypatch.setenv("TOKENSCOPE_MODELS", os.pathsep.join(roots))


@pytest.fixture
def page(app: App, tiny_folder: str, byte_folder: str) -> App:
    app.open()
    app.test.switch_page(PAGE)
    app.run()
    choose(app, tiny_folder, byte_folder)
    return app
