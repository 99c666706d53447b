"""Models with quantised weights, by the libraries that make them; an absent one is skipped."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TorchAoConfig

import tokenscope_core as ts
from tokenscope_core.models.arithmetic import arithmetic_of
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.formats.quantised import require_method
from tokenscope_core.models.files.model_files import SHIPPED_FOLDER, locate
from tokenscope_core.models.files.sources import source_of

TEXT = "def add(a, b):\n    return a + b\n\n\nclass Stack:\n    def __init__(self):\n"
LIBRARIES = {
    "int8": "bitsandbytes", "nf4": "bitsandbytes", "torchao int8": "torchao",
    "quanto int8": "optimum.quanto",
}  # fmt: skip
# By how much quantising itself moves a log-probability of the shipped model on TEXT, nats.
MOVED = {"int8": 0.3, "nf4": 3.0, "torchao int8": 0.3, "quanto int8": 0.3}


def _require(way: str) -> None:
    for library in (LIBRARIES[way].partition(".")[0], "accelerate"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    pytest.importorskip(LIBRARIES[way])


def _settings(way: str) -> Any:
    if way == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    if way == "nf4":
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    from torchao.quantization import Int8WeightOnlyConfig

    return TorchAoConfig(Int8WeightOnlyConfig())


@pytest.fixture(scope="module", params=list(LIBRARIES))
def quantised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """The shipped model as one of the libraries stores it."""
    way = request.param
    _require(way)
    folder = tmp_path_factory.mktemp(way.replace(" ", "-")) / "quantised"
    shutil.copytree(SHIPPED_FOLDER, folder)
    if way == "quanto int8":  # stored by none: named in the configuration, done as it is loaded
        path = folder / "config.json"
        config = json.loads(path.read_text())
        config["quantization_config"] = {"quant_method": "quanto", "weights": "int8"}
        path.write_text(json.dumps(config))
        return way, folder
    model = AutoModelForCausalLM.from_pretrained(
        SHIPPED_FOLDER, quantization_config=_settings(way), dtype=torch.float32, device_map="cpu"
    )
    for path in folder.glob("*.safetensors"):
        path.unlink()
    model.save_pretrained(folder)
    return way, folder


@pytest.fixture(scope="module")
def loaded(quantised: tuple[str, Path]) -> tuple[str, ts.LanguageModel]:
    way, folder = quantised
    return way, ts.load_model(folder)


def test_it_loads_as_a_decoder_whose_cache_branches(loaded: tuple[str, ts.LanguageModel]) -> None:
    _, lm = loaded
    assert lm.capabilities.cache == "branches"
    assert lm.capabilities.head_apart
    assert lm.capabilities.attention.way == "interface"
    assert "quantised by" in arithmetic_of(lm.model).name


def test_its_weights_are_the_quantised_ones(
    loaded: tuple[str, ts.LanguageModel], quantised: tuple[str, Path]
) -> None:
    way, lm = loaded
    plain = ts.score(ts.load_model(), TEXT)
    trace = ts.score(lm, TEXT)
    moved = np.abs(trace.logprob - plain.logprob)[1:].max()
    assert 0 < moved < MOVED[way]
    assert lm.identity.fingerprint == locate(quantised[1]).fingerprint_in()
    assert lm.identity.fingerprint != ts.load_model().identity.fingerprint


def test_its_figures_lie_as_far_apart_as_was_seen_at_load(
    loaded: tuple[str, ts.LanguageModel],
) -> None:
    """LLM.int8 rounds by what else is in a batch; the others repeat as in single precision."""
    way, lm = loaded
    rounding = lm.capabilities.rounding
    assert rounding is not None
    trace = ts.generate(lm, ts.Request(TEXT, max_new_tokens=12))
    with torch.inference_mode():
        logits = lm.model(torch.tensor([trace.token_ids.tolist()]), use_cache=False).logits[0]
    following = torch.tensor(trace.token_ids[1:].tolist())
    one_pass = logits.float().log_softmax(-1)[torch.arange(len(following)), following]
    apart = np.abs(trace.logprob[1:] - one_pass.numpy()).max()
    if way == "int8":
        assert 0.001 < rounding.most < 0.5
        assert apart < 5 * rounding.most
    else:
        assert rounding.most < 1e-4
        assert apart < 1e-3


def test_what_was_set_aside_to_judge_it_is_in_force_again(
    loaded: tuple[str, ts.LanguageModel],
) -> None:
    way, lm = loaded
    if way != "int8":
        pytest.skip("only LLM.int8 rounds by batch")
    modules = [m for m in lm.model.modules() if type(m).__name__ == "Linear8bitLt"]
    assert modules
    assert {module.state.threshold for module in modules} == {6.0}


def test_greedy_writes_what_generate_writes(loaded: tuple[str, ts.LanguageModel]) -> None:
    way, lm = loaded
    if way == "int8":
        pytest.skip("LLM.int8 rounds a prompt read in pieces otherwise than one read at once")
    trace = ts.generate(lm, ts.Request(TEXT, max_new_tokens=12))
    ids = torch.tensor([lm.encode(TEXT)])
    written = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=0
    )
    assert trace.token_ids.tolist() == written[0].tolist()


def test_weights_quantised_by_a_missing_library_are_refused_by_its_name(tmp_path: Path) -> None:
    if importlib.util.find_spec("hqq") is not None:
        pytest.skip("the library is there")
    folder = Path(tiny_models.saved(tmp_path / "tiny"))
    path = folder / "config.json"
    quantisation = {"quant_method": "hqq", "quant_config": {}, "skip_modules": []}
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"quantization_config": quantisation})
    )
    assert facts_of(locate(folder)).quantised == "hqq"
    with pytest.raises(ts.ModelError, match="quantised by hqq") as caught:
        ts.load_model(folder)
    assert "not installed: hqq" in caught.value.found
    assert "pip install hqq" in caught.value.action
    assert "tiny" in caught.value.asked


@pytest.mark.parametrize(
    ("method", "found", "way_out"),
    [
        ("gptq", "not installed: .*gptqmodel", "pip install .*gptqmodel"),
        ("awq", "not installed: gptqmodel", "pip install gptqmodel"),
        ("compressed-tensors", "not installed: compressed-tensors", "pip install compressed-te"),
        ("vptq", "runs on an accelerator only; this machine has none", "a machine with a GPU"),
    ],
)
def test_a_list_says_which_library_runs_what_lies_there(
    method: str, found: str, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded, and without torch."""
    monkeypatch.setattr("tokenscope_core.models.files.openable.devices", lambda: ("cpu",))
    folder = Path(tiny_models.saved(tmp_path / "tiny"))
    path = folder / "config.json"
    quantisation = {"quant_method": method, "bits": 4, "group_size": 128}
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"quantization_config": quantisation})
    )
    problem = source_of(str(folder)).problem
    if problem is None:
        pytest.skip("the libraries are there")
    assert re.search(f"quantised by {method}.*{found}", problem)
    assert re.search(way_out, problem)


@pytest.mark.parametrize("method", ["bitsandbytes", "torchao", "quanto"])
def test_the_extra_that_brings_a_library_is_named(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tokenscope_core.models.files.formats.quantised._is_here", lambda _package: False
    )
    with pytest.raises(ts.ModelError, match=r"pip install \"tokenscope-code\[quantised\]\""):
        require_method("tiny", method, accelerated=False)
