"""Model folders: what opens, what is refused and how, and what the fingerprint means."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub.constants
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertLMHeadModel, PreTrainedModel

import tokenscope_core as ts
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.model_files import find, locate
from tokenscope_core.models.files.names import MODELS_VARIABLE, SHIPPED_FOLDER
from tokenscope_core.models.files.sources import available


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    tiny_models.model("llama").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the model to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def edit_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def assert_says_what_to_do(error: ts.TokenScopeError, name: str) -> None:
    assert name in error.asked
    assert error.found.endswith(".")
    assert error.action
    assert "Traceback" not in str(error)


def test_a_saved_model_loads_and_repeats_its_numbers(saved: Path) -> None:
    loaded = ts.load_model(saved)
    request = ts.Request("def f(x):\n", max_new_tokens=6)
    from_disk = ts.generate(loaded, request)
    in_memory = ts.generate(tiny_models.language_model(), request)
    assert from_disk.token_ids.tolist() == in_memory.token_ids.tolist()
    assert loaded.identity.name == "tiny"
    assert loaded.context_length == tiny_models.CONTEXT
    assert loaded.end_ids == {0}
    assert loaded.capabilities == ts.Capabilities(
        begins_with_special=True,
        chat_template=False,
        fill_in_the_middle=False,
        cache="branches",
        head_apart=True,
        attention=ts.AttentionFacts("interface", layers=(0, 1), heads=(4, 4)),
    )


def test_models_loaded_at_the_same_time_keep_their_weights(saved: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        loaded = list(threads.map(ts.load_model, (SHIPPED_FOLDER, saved) * 3))
    # What one of them leaves switched off would also spoil what is loaded later.
    for shipped in (*loaded[::2], ts.load_model()):
        weights = shipped.model
        assert weights.get_output_embeddings().weight is weights.get_input_embeddings().weight


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _grow(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes() + b"\0")


def _only_bin(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_remove("config.json"), "no config.json"),
        (_write("config.json", b"{"), "cannot be read"),
        (_write("config.json", b"[]"), "not an object"),
        (_write("config.json", b"\xff\xfe"), "cannot be read"),
        (_write("config.json", b"[" * 200_000), "nested too deep"),
        (_write("config.json", b'{"vocab_size": 1' + b"0" * 5000 + b"}"), "too many digits"),
        (_write("config.json", b'{"a": "' + b"x" * 5_000_000 + b'"}'), "more than the 4,194,304"),
        (lambda folder: edit_config(folder, is_encoder_decoder=True), "only its encoder reads"),
        (lambda folder: edit_config(folder, num_hidden_layers=10**9), "num_hidden_layers = 1,000"),
        (_cut, "promises"),
        (_grow, "promises"),
        (_write("model.safetensors", b""), "cut short"),
        (_write("model.safetensors", b"\xff" * 64), "cut short"),
        (_write("model.safetensors", (2).to_bytes(8, "little") + b"[]"), "damaged header"),
        (_only_bin, r"pickled PyTorch weights.*pytorch_model\.bin.*use_safetensors=False"),
        (_remove("model.safetensors"), "lacks model.safetensors"),
        (_remove("tokenizer.json"), "no tokenizer.json"),
    ],
)
def test_a_damaged_folder_is_refused_before_anything_is_loaded(
    folder: Path, damage: Callable[[Path], object], found: str
) -> None:
    damage(folder)
    began = time.thread_time()
    with pytest.raises(ts.ModelFormatError, match=found) as caught:
        locate(folder)
    assert time.thread_time() - began < 1.0
    assert_says_what_to_do(caught.value, "tiny")


def _drop_weight(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, path, {"format": "pt"})


def _wrong_shape(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["model.layers.1.mlp.up_proj.weight"] = torch.zeros(3, 3)
    save_file(weights, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_drop_weight, "would be random"),
        (_wrong_shape, "up_proj.*of another shape|of another shape.*up_proj"),
        (lambda folder: edit_config(folder, model_type="no-such-kind"), "could not"),
        (lambda folder: edit_config(folder, hidden_size="wide"), "could not"),
        (_write("tokenizer.json", b"{}"), "could not"),
    ],
)
def test_what_only_loading_finds_is_refused_by_name(
    folder: Path, damage: Callable[[Path], object], found: str
) -> None:
    damage(folder)
    with pytest.raises(ts.ModelFormatError, match=found) as caught:
        ts.load_model(folder)
    assert_says_what_to_do(caught.value, "tiny")


@pytest.mark.parametrize(("family", "cache"), [("mamba", "steps"), ("recurrent_gemma", "none")])
def test_how_far_a_cache_can_be_relied_on_is_found_at_load(
    family: str, cache: str, tmp_path: Path
) -> None:
    tiny_models.model(family).save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    assert ts.load_model(tmp_path).capabilities.cache == cache


def _bidirectional() -> PreTrainedModel:
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
    return BertLMHeadModel(
        BertConfig(vocab_size=300, hidden_size=16, initializer_range=0.5, **sizes)
    )


def test_a_model_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    _bidirectional().save_pretrained(tmp_path / "tiny")
    tiny_models.tokenizer().save_pretrained(tmp_path / "tiny")
    with pytest.raises(ts.CapabilityError, match="looks ahead") as caught:
        ts.load_model(tmp_path / "tiny")
    assert_says_what_to_do(caught.value, "tiny")


def test_a_model_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    model = tiny_models.model("llama")
    with torch.no_grad():
        model.lm_head.weight[7, 3] = float("nan")
    model.save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ts.ModelError, match="not a number"):
        ts.load_model(tmp_path)


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_decoders_of_every_family_and_precision_load(
    family: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    tiny_models.model(family).save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    trace = ts.score(ts.load_model(tmp_path, dtype=dtype), "x = 1\n")
    assert (trace.surprisal[1:] > 0).all()


@pytest.mark.parametrize(
    "name",
    [
        "/no/such/folder", "no/such/model", "no-such-model", "what is this?", "", "   ", "a" * 5000,
        "~nobody-at-all/models", "a\0b", "../..//x y", "https://example.com/model",
    ],
)  # fmt: skip
def test_a_model_that_is_nowhere_is_not_looked_for_in_the_network(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    # What cannot be a hub id is not asked for even where the hub may be.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", hub.is_hub_id(name))
    with pytest.raises(ts.ModelNotFoundError) as caught:
        locate(name)
    assert asked == []
    assert_says_what_to_do(caught.value, name.strip()[:100])


@pytest.mark.parametrize(
    "name", ["org/name.git", "org/a--b", "org/a..b", "org/name-", "org/naïve", f"org/{'n' * 99}"]
)
def test_what_the_hub_s_client_takes_for_no_id_is_refused_as_none(name: str) -> None:
    with pytest.raises(ts.ModelNotFoundError, match="no such folder"):
        locate(name)


def test_a_path_is_never_taken_for_a_hub_id() -> None:
    with pytest.raises(ts.ModelNotFoundError, match="no such folder"):
        locate(Path("org/name"))


def test_what_is_on_this_machine_is_found_without_a_network(folder: Path) -> None:
    assert find("org/name") is None
    for name in (str(folder), SHIPPED_FOLDER.name):
        assert find(name) is not None


def test_without_network_a_hub_id_says_so() -> None:
    with pytest.raises(ts.ModelNotFoundError, match="hub access is switched off"):
        ts.load_model("org/name")


def test_no_code_from_a_model_folder_is_run(folder: Path) -> None:
    witness = folder / "it ran"
    (folder / "modeling.py").write_text(f"open({str(witness)!r}, 'w')\n")
    edit_config(
        folder,
        model_type="custom",
        auto_map={"AutoConfig": "modeling.C", "AutoModelForCausalLM": "modeling.M"},
    )
    with pytest.raises(ts.ModelFormatError):
        ts.load_model(folder)
    assert not witness.exists()


def test_a_fingerprint_is_of_the_content_not_the_place(saved: Path, folder: Path) -> None:
    elsewhere = folder.rename(folder.with_name("another name"))
    (elsewhere / "README.md").write_text("notes")
    assert locate(elsewhere).fingerprint_in() == locate(saved).fingerprint_in()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_changed_byte_changes_the_fingerprint(folder: Path, name: str) -> None:
    before = locate(folder).fingerprint_in()
    path = folder / name
    data = bytearray(path.read_bytes())
    place = data.rindex(b"\n") if name.endswith("json") else len(data) - 3
    data[place] = ord(" ") if name.endswith("json") else data[place] ^ 1
    path.write_bytes(data)
    assert locate(folder).fingerprint_in() != before


def test_the_fingerprint_is_known_before_loading(saved: Path) -> None:
    assert ts.load_model(saved).identity.fingerprint == locate(saved).fingerprint_in()


def test_precision_is_part_of_the_fingerprint(saved: Path) -> None:
    half = ts.load_model(saved, dtype=torch.bfloat16)
    assert half.identity.fingerprint == locate(saved).fingerprint_in("bfloat16")
    assert half.identity.fingerprint != locate(saved).fingerprint_in()


@pytest.mark.parametrize("named", [True, False])
def test_a_half_precision_checkpoint_keeps_its_precision(tmp_path: Path, named: bool) -> None:
    folder = tmp_path / "half"
    tiny_models.model("llama").bfloat16().save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    if not named:
        edit_config(folder, dtype=None, torch_dtype=None)
    loaded = ts.load_model(folder)
    assert loaded.model.dtype == torch.bfloat16
    assert locate(folder).precision == "bfloat16"
    assert loaded.identity.fingerprint == locate(folder).fingerprint_in()


def test_weights_in_several_files_load(tmp_path: Path, saved: Path) -> None:
    folder = tmp_path / "parts"
    tiny_models.model("llama").save_pretrained(folder, max_shard_size="20KB")
    tiny_models.tokenizer().save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert ts.score(ts.load_model(folder), "x = 1").text == "x = 1"
    next(folder.glob("*2-of*.safetensors")).unlink()
    with pytest.raises(ts.ModelFormatError, match="lacks"):
        ts.load_model(folder)


def test_a_tokenizer_in_the_older_two_files_reads_the_same(folder: Path) -> None:
    tiny_models.model("gpt2").save_pretrained(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(tokenizer["vocab"]))
    merges = [" ".join(merge) for merge in tokenizer["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    trace = ts.score(ts.load_model(folder), "def é(x):\r\n\t👋")
    assert trace.text == "def é(x):\r\n\t👋"
    assert (
        trace.token_ids.tolist()
        == tiny_models.tokenizer(bos=False)("def é(x):\r\n\t👋")["input_ids"]
    )


def test_a_model_shared_by_several_places_repeats_its_numbers(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    from accelerate import disk_offload

    request = ts.Request("def f(x):\n", max_new_tokens=6)
    whole = ts.generate(ts.load_model(saved), request)
    placed = ts.load_model(saved, device="auto")
    assert ts.generate(placed, request).token_ids.tolist() == whole.token_ids.tolist()
    # Embeddings that are elsewhere until they are needed.
    disk_offload(placed.model, str(tmp_path / "offload"), torch.device("cpu"))
    assert placed.model.get_input_embeddings().weight.device.type == "meta"
    assert placed.device == torch.device("cpu")
    assert ts.generate(placed, request).token_ids.tolist() == whole.token_ids.tolist()


def test_sharing_a_model_takes_accelerate(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ts.ModelError, match="accelerate") as caught:
        ts.load_model(saved, device="auto")
    assert_says_what_to_do(caught.value, "tiny")


def test_models_in_listed_folders_are_available(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Without what was fetched on this machine.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing fetched"))
    (tmp_path / "empty").mkdir()
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    assert available() == (SHIPPED_FOLDER.name,)
    monkeypatch.setenv(
        MODELS_VARIABLE, os.pathsep.join([str(tmp_path), str(tmp_path / "missing"), ""])
    )
    assert available() == (SHIPPED_FOLDER.name, str(folder))
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    assert available() == (SHIPPED_FOLDER.name, str(folder))
    assert locate(available()[1]).name == "tiny"
