"""Folders with weights of other formats: named for what they are, with a way out that works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM

import tokenscope_core as ts
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import source_of

TEXT = "def add(a, b):\n    return a + b\n"


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """A folder as transformers wrote them before safetensors."""
    folder = Path(tiny_models.saved(tmp_path / "old"))
    state = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def test_the_conversion_that_is_offered_makes_it_the_model_it_was(pickled: Path) -> None:
    with pytest.raises(ts.ModelFormatError) as caught:
        ts.load_model(pickled)
    assert "pickled PyTorch weights" in caught.value.found
    assert "never opened here" in caught.value.found
    assert "pytorch_model.bin" in caught.value.found
    command = re.search(r"python -c .*", caught.value.action)
    assert command is not None
    _, *arguments = shlex.split(command[0])
    subprocess.run([sys.executable, *arguments], cwd=pickled, check=True, capture_output=True)
    found = ts.score(ts.load_model(pickled), TEXT)
    expected = ts.score(tiny_models.language_model("llama"), TEXT)
    np.testing.assert_allclose(found.logprob[1:], expected.logprob[1:], atol=1e-5)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("consolidated.00.pth", "layout of their first makers"),
        ("tf_model.h5", "TensorFlow"),
        ("flax_model.msgpack", "Flax"),
        ("model.onnx", "ONNX"),
        ("weights.npz", "numpy or MLX"),
        ("last.ckpt", "training checkpoint"),
    ],
)
def test_weights_of_other_libraries_are_called_what_they_are(
    file: str, kind: str, tmp_path: Path
) -> None:
    folder = Path(tiny_models.saved(tmp_path / "other"))
    (folder / "model.safetensors").rename(folder / file)
    problem = source_of(str(folder)).problem
    assert problem is not None
    assert kind in problem
    assert file in problem
    (folder / "config.json").unlink()
    assert kind in (source_of(str(folder)).problem or ""), "also without a configuration"


def test_safetensors_under_another_name_are_named(tmp_path: Path) -> None:
    folder = Path(tiny_models.saved(tmp_path / "renamed"))
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")
    with pytest.raises(ts.ModelFormatError, match=r"but has consolidated\.safetensors"):
        find(str(folder))


def test_shards_and_a_tokenizer_in_two_files_are_the_same_model(tmp_path: Path) -> None:
    """`vocab.json` with `merges.txt`, and weights in several files with an index."""
    folder = tmp_path / "shards"
    model = tiny_models.model("qwen2")
    model.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    tiny_models.tokenizer().backend_tokenizer.model.save(str(folder))
    assert {path.name for path in folder.iterdir()} >= {"vocab.json", "merges.txt"}
    lm = ts.load_model(folder)
    ids = torch.tensor([lm.encode(TEXT)])
    trace = ts.score(lm, TEXT)
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits[0].log_softmax(-1)
    expected = logits[torch.arange(len(trace) - 1), ids[0, 1:]]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=1e-4)
    assert trace.text == TEXT
