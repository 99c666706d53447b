"""PEFT adapters: found with their base, put onto it, and told apart from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import tiny_gguf
import tiny_models
import torch
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, PromptTuningConfig
from safetensors.torch import load_file, save_file
from tiny_adapters import write_adapter
from transformers import AutoModelForCausalLM
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import changed_files, find, identify
from tokenscope_core.models.files.names import plain_name
from tokenscope_core.models.files.sources import (
    ALLOWED_VARIABLE,
    available,
    identified,
    is_allowed,
    source_of,
    sources,
)
from tokenscope_core.models.obtaining import obtain
from tokenscope_core.models.tokenizers.loading import tokenizer_of

TEXT = "def add(a, b):\n    return a + b\n"
METHODS: dict[str, Callable[[], PeftConfig]] = {
    "lora": lambda: LoraConfig(
        r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
    ),
    "dora": lambda: LoraConfig(
        r=4, use_dora=True, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"
    ),
    "lora and head": lambda: LoraConfig(
        r=4, target_modules=["o_proj"], modules_to_save=["lm_head"], task_type="CAUSAL_LM"
    ),
    "ia3": lambda: IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"],
        task_type="CAUSAL_LM",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model and an adapter by each method, as people keep them."""
    root = tmp_path_factory.mktemp("models")
    tiny_models.saved(root / "base")
    for name, config in METHODS.items():
        write_adapter(root / name, root / "base", config())
    return root


@pytest.fixture(autouse=True)
def listed(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(models))
    monkeypatch.delenv(ALLOWED_VARIABLE, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize("method", METHODS)
def test_logits_are_those_of_peft(method: str, models: Path) -> None:
    lm = ts.load_model(models / method)
    base = AutoModelForCausalLM.from_pretrained(models / "base")
    theirs = PeftModel.from_pretrained(base, str(models / method)).eval()
    ids = torch.tensor([lm.encode(TEXT)])
    with torch.inference_mode():
        expected = theirs(ids, use_cache=False).logits[0]
        with theirs.disable_adapter():
            plain = theirs(ids, use_cache=False).logits[0]
        found = lm.model(ids, use_cache=False).logits[0]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)
    assert (expected - plain).abs().max() > 0.01
    trace = ts.score(lm, TEXT)
    picked = expected.log_softmax(-1)[torch.arange(len(trace) - 1), ids[0, 1:]]
    np.testing.assert_allclose(trace.logprob[1:], picked, atol=5e-4)


def test_off_is_the_base_itself(models: Path, service: GenerationService) -> None:
    """What the page Two models shows: the same text by the base and by the adapter on it."""
    request = ts.Request(TEXT, 0)
    on, off = (
        service.submit(str(models / name), request, "tab").wait(WAIT_S).trace
        for name in ("lora", "base")
    )
    assert on is not None
    assert off is not None
    plain = ts.score(ts.load_model(models / "base"), TEXT)
    np.testing.assert_array_equal(off.logprob, plain.logprob)
    assert off.key == plain.key
    assert on.key != off.key
    assert on.model.name == "lora+base"
    assert np.abs(on.logprob - off.logprob)[1:].max() > 0.01


def test_every_adapter_and_every_base_is_a_model_of_its_own(models: Path, tmp_path: Path) -> None:
    names = [str(models / name) for name in (*METHODS, "base")]
    other = tmp_path / "other base"
    tiny_models.saved(other, seed=1)
    names.append(f"{models / 'lora'}+{other}")
    hashes = {obtain(name).fingerprint_in() for name in names}
    assert len(hashes) == len(names)
    trace = ts.score(ts.load_model(models / "lora"), TEXT)
    assert identified(trace.model) == ts.ModelChoice(str(models / "lora"))


def test_facts_and_the_list_name_the_adapter(models: Path) -> None:
    files = find(str(models / "lora"))
    assert files is not None
    facts = facts_of(identify(files))
    assert facts.adapter is not None
    assert facts.adapter.method == "LORA"
    assert facts.adapter.base == "base"
    stored = load_file(models / "lora" / "adapter_model.safetensors")
    assert facts.adapter.numbers == sum(tensor.numel() for tensor in stored.values())
    kinds = {source.label: source.kind for source in sources()}
    assert kinds["lora"] == "adapter"
    assert kinds["base"] == "folder"
    assert str(models / "lora") in available()


@pytest.mark.parametrize("named", ["someone/base", "/elsewhere/checkpoints/base", "base"])
def test_its_base_is_found_by_the_last_part_of_its_name(
    named: str, models: Path, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "moved", models / "base", METHODS["lora"](), named)
    files = find(str(folder))
    assert files is not None
    assert files.base is not None
    assert files.base.folder == models / "base"
    assert files.fingerprint_in() != obtain(models / "base").fingerprint_in()


def test_a_base_that_is_not_here_is_named_and_can_be_named_with_the_adapter(
    models: Path, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "lonely", models / "base", METHODS["lora"](), "org/absent")
    with pytest.raises(ts.ModelFormatError, match=r"org/absent.*not on this machine.*lonely\+BASE"):
        ts.load_model(folder)
    assert "org/absent" in (source_of(str(folder)).problem or "")
    lm = ts.load_model(f"{folder}+{models / 'base'}")
    assert lm.identity.name == "lonely+base"
    assert plain_name(f"{folder}+base") == f"{folder}+{models / 'base'}"


def test_one_that_does_not_fit_its_base_is_refused(models: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide"
    tiny_models.configured("llama", {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2,
    }).save_pretrained(wide)  # fmt: skip
    tiny_models.tokenizer().save_pretrained(wide)
    with pytest.raises(ts.ModelError, match=r"lora.*wide.*very model"):
        ts.load_model(f"{models / 'lora'}+{wide}")


def test_one_with_weights_for_other_layers_is_refused_by_the_first(
    models: Path, tmp_path: Path
) -> None:
    """peft passes over what it finds no place for, or leaves it random."""
    spoilt = Path(shutil.copytree(models / "lora", tmp_path / "spoilt"))
    weights = load_file(spoilt / "adapter_model.safetensors")
    name = sorted(weights)[0]
    weights[name.replace("layers.0", "layers.9")] = weights.pop(name)
    save_file(weights, spoilt / "adapter_model.safetensors")
    with pytest.raises(ts.ModelFormatError, match=r"1 of its weights find no place.*layers\.9"):
        ts.load_model(spoilt)


def _pickled(folder: Path) -> None:
    torch.save({}, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()


def _changed(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_pickled, r"pickled \(adapter_model\.bin\).*weights_only=True"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "lacks adapter_model"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "no JSON at line 1"),
        (_changed(megatron_config={"a": 1}), "names a module to be imported"),
        (_changed(peft_type="PREFIX_TUNING"), "PREFIX_TUNING.*in the place of tokens"),
        (_changed(base_model_name_or_path=None), "does not say which model"),
    ],
)
def test_what_cannot_be_put_on_is_refused_by_what_it_is(
    spoil: Callable[[Path], object], found: str, models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models / "lora", tmp_path / "spoilt"))
    spoil(folder)
    with pytest.raises(ts.ModelFormatError, match=found):
        ts.load_model(folder)
    problem = source_of(str(folder)).problem
    assert problem is not None, "the list says it before anything is loaded"


def test_prompt_tuning_is_refused_as_peft_saves_it(models: Path, tmp_path: Path) -> None:
    config = PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    folder = write_adapter(tmp_path / "tuned", models / "base", config)
    with pytest.raises(ts.ModelFormatError, match="stand for no text"):
        ts.load_model(folder)


def test_an_adapter_on_an_adapter_is_refused(models: Path) -> None:
    with pytest.raises(ts.ModelFormatError, match="is an adapter itself"):
        ts.load_model(f"{models / 'lora'}+{models / 'ia3'}")


def test_a_base_in_gguf_is_converted_first(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gguf = tiny_gguf.write(tmp_path / "tiny.gguf", "Q8_0")
    base = obtain(gguf).folder
    folder = write_adapter(tmp_path / "lora", base, METHODS["lora"](), str(gguf))
    shutil.rmtree(base)
    lm = ts.load_model(folder)
    assert lm.identity.name == "lora+tiny.gguf"
    assert lm.files.gguf == gguf


def test_without_peft_the_library_is_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tokenscope_core.models.adapters.importlib.util.find_spec", lambda _name: None
    )
    with pytest.raises(ts.ModelError, match=r"peft.*tokenscope-code\[adapters\]"):
        ts.load_model(models / "lora")


def test_it_is_offered_only_where_its_base_is_allowed_too(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, str(models / "lora"))
    assert not is_allowed(str(models / "lora"))
    monkeypatch.setenv(ALLOWED_VARIABLE, f"{models / 'lora'},{models / 'base'}")
    assert is_allowed(str(models / "lora"))
    assert not is_allowed(f"{models / 'lora'}+{models / 'ia3'}")


def test_a_changed_adapter_is_noticed(models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models / "lora", tmp_path / "edited"))
    files = find(str(folder))
    assert files is not None
    assert changed_files(files) == ()
    _changed(lora_alpha=99)(folder)
    assert changed_files(files) == ("adapter_config.json",)
    again = find(str(folder))
    assert again is not None
    assert again.fingerprint_in() != files.fingerprint_in()


def test_a_tokenizer_that_comes_with_it_is_used(models: Path, tmp_path: Path) -> None:
    """Adapters for conversation bring a chat template that their base lacks."""
    folder = Path(shutil.copytree(models / "lora", tmp_path / "chats"))
    tokenizer = tiny_models.tokenizer()
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    files = find(str(folder))
    assert files is not None
    assert facts_of(files).chat_template
    with tokenizer_of(files) as (loaded, _):
        assert loaded.chat_template == "{{ messages[0]['content'] }}"
    assert ts.load_model(folder).capabilities.chat_template
