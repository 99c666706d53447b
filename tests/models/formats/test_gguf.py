"""GGUF files: found, judged by their headers, converted once, and the same model ever after."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import gguf
import huggingface_hub.constants
import numpy as np
import pytest
import tiny_gguf
import torch
from real_model import real_gguf, real_model_folder
from waiting import WAIT_S

import tokenscope_core as ts
from tokenscope_core.__main__ import main
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.facts import facts_ahead, facts_of
from tokenscope_core.models.files.formats import converted
from tokenscope_core.models.files.formats.gguf import TENSOR_KINDS, read_gguf
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped
from tokenscope_core.models.files.model_files import find, locate
from tokenscope_core.models.files.sources import sources
from tokenscope_core.models.gguf_conversion import convert
from tokenscope_core.models.obtaining import obtain

TEXT = "def add(a, b):\n    return a + b\n"
KINDS = ("Q8_0", "Q4_0")


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this file's own, kept from one test to the next: conversions take seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache_home / "hub"))
    monkeypatch.delenv("TOKENSCOPE_MODELS", raising=False)
    return cache_home


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gguf")
    return {kind: tiny_gguf.write(folder / f"tiny.{kind}.gguf", kind) for kind in KINDS}


def test_a_header_says_what_the_file_holds(files: dict[str, Path]) -> None:
    header = read_gguf(files["Q8_0"])
    theirs = gguf.GGUFReader(files["Q8_0"])
    assert header.architecture == "llama"
    assert header.quantisation == "Q8_0"
    assert header.numbers == sum(int(tensor.n_elements) for tensor in theirs.tensors)
    assert header.number("block_count") == tiny_gguf.LAYERS


def test_sizes_of_blocks_are_those_of_the_library() -> None:
    known = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: TENSOR_KINDS[kind] for kind in known if kind in TENSOR_KINDS} == known


def test_facts_are_known_before_it_is_converted_and_stay(files: dict[str, Path]) -> None:
    ahead = facts_ahead(str(files["Q4_0"]))
    assert ahead is not None
    here = facts_of(obtain(files["Q4_0"]))
    for name in ("layers", "heads", "key_value_heads", "width", "vocabulary", "context", "gguf"):
        assert getattr(ahead, name) == getattr(here, name), name
    assert ahead.cache_bytes_per_token == here.cache_bytes_per_token
    assert ahead.gguf is not None
    assert (ahead.gguf.kind, ahead.gguf.bytes) == ("Q4_0", files["Q4_0"].stat().st_size)


@pytest.mark.parametrize("kind", KINDS)
def test_its_weights_are_what_the_blocks_stand_for(kind: str, files: dict[str, Path]) -> None:
    """Against the library's own dequantisation, tensor by tensor."""
    lm = ts.load_model(str(files[kind]))
    own = lm.model.state_dict()
    seen = 0
    for tensor in gguf.GGUFReader(files[kind]).tensors:
        name = tiny_gguf.NAMES.get(tensor.name)
        if name is None:
            continue
        expected = gguf.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(own[name].numpy(), expected, err_msg=name)
        seen += 1
    assert seen == len(tiny_gguf.NAMES)


def test_logits_are_those_of_its_own_safetensors(files: dict[str, Path]) -> None:
    lm = ts.load_model(str(files["Q4_0"]))
    plain = ts.load_model(obtain(files["Q4_0"]).folder)
    a, b = ts.score(lm, TEXT), ts.score(plain, TEXT)
    np.testing.assert_array_equal(a.logprob, b.logprob)
    assert lm.identity.fingerprint == plain.identity.fingerprint
    assert lm.identity.name == "tiny.Q4_0.gguf"


def test_quantisations_of_one_model_are_different_models(files: dict[str, Path]) -> None:
    one, other = (obtain(files[kind]) for kind in KINDS)
    assert one.fingerprint_in() != other.fingerprint_in()
    unlike = (
        ts.score(ts.load_model(one), TEXT).logprob - ts.score(ts.load_model(other), TEXT).logprob
    )
    assert np.abs(unlike[1:]).max() > 1e-4


def test_it_is_converted_once_under_any_name(files: dict[str, Path], tmp_path: Path) -> None:
    folder = convert(files["Q8_0"])
    copy = Path(shutil.copy(files["Q8_0"], tmp_path / "another name.gguf"))
    written = (folder / "model.safetensors").stat().st_mtime_ns
    found = find(str(copy))
    assert found is not None
    assert found.folder == folder
    assert found.name == "another name.gguf"
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


def test_a_folder_with_one_file_is_that_file(files: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(files["Q8_0"], tmp_path / "one.gguf")
    assert obtain(tmp_path).gguf == tmp_path / "one.gguf"
    shutil.copy(files["Q4_0"], tmp_path / "two.gguf")
    with pytest.raises(ts.ModelFormatError, match=r"2 GGUF files.*one\.gguf, two\.gguf"):
        find(str(tmp_path))


def test_listed_files_are_offered_by_their_names(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(files["Q8_0"].parent))
    listed = {source.label: source.kind for source in sources()}
    assert listed["tiny.Q8_0.gguf"] == listed["tiny.Q4_0.gguf"] == "gguf"
    assert obtain("tiny.Q8_0.gguf").gguf == files["Q8_0"]


def test_a_run_converts_it_and_says_how_far_it_is(
    files: dict[str, Path],
    service: GenerationService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    view = service.submit(str(files["Q8_0"]), ts.Request("x = ", max_new_tokens=2), "tab").wait(
        WAIT_S
    )
    assert view.trace is not None, view.error
    assert view.trace.model.name == "tiny.Q8_0.gguf"
    # What was stored is found again before anything is loaded.
    again = service.submit(str(files["Q8_0"]), ts.Request("x = ", max_new_tokens=2), "tab")
    assert again.view().from_store


def test_it_can_be_stopped_and_leaves_nothing(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen: list[LoadProgress] = []

    def wanted() -> bool:
        return not any(progress.stage == "converting" for progress in seen)

    with pytest.raises(LoadStopped):
        convert(files["Q8_0"], report=seen.append, wanted=wanted)
    assert list(converted.converted_root().iterdir()) == []


def test_older_conversions_make_way_within_the_bound(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # The tokenizer's files come on top of the numbers.
    monkeypatch.setenv("TOKENSCOPE_CONVERTED_MB", "1")
    first = convert(files["Q8_0"])
    (first / "padding.bin").write_bytes(bytes(950_000))
    second = convert(files["Q4_0"])
    assert second.is_dir()
    assert not first.exists()
    assert find(str(files["Q8_0"])) is None


def test_one_that_exceeds_the_bound_is_refused_by_both_sizes(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (
        pytest.raises(ts.ModelTooLargeError, match="TOKENSCOPE_CONVERTED_MB"),
        converted.new_folder(converted.folder_of("x"), name="x", needed=10**12),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: data[:100], "cut short"),
        (lambda data: b"GGML" + data[4:], "does not begin"),
        (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "version 1"),
        (lambda data: data[:8] + struct.pack("<Q", 2**60) + data[16:], "damaged header"),
        (lambda data: data[:24] + struct.pack("<Q", 2**62) + data[32:], "cut short"),
        (lambda data: b"", "cut short"),
    ],
)
def test_a_damaged_file_is_refused_by_what_is_wrong(
    change: object, found: str, files: dict[str, Path], tmp_path: Path
) -> None:
    assert callable(change)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(change(files["Q8_0"].read_bytes()))
    with pytest.raises(ts.ModelFormatError, match=found) as caught:
        ts.load_model(str(broken))
    assert "broken.gguf" in caught.value.asked


def test_a_part_of_a_model_says_how_to_join_it(files: dict[str, Path], tmp_path: Path) -> None:
    part = shutil.copy(files["Q8_0"], tmp_path / "big-00001-of-00003.gguf")
    with pytest.raises(ts.ModelFormatError, match=r"part 1 of 3.*llama-gguf-split --merge"):
        ts.load_model(str(part))


def test_an_absent_library_is_named_with_the_way_out(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "tokenscope_core.models.gguf_conversion.importlib.util.find_spec", lambda _name: None
    )
    with pytest.raises(ts.ModelError, match=r"gguf, accelerate.*tokenscope-code\[gguf\]"):
        convert(files["Q8_0"])


def test_an_architecture_that_transformers_cannot_read_is_refused(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "odd.gguf", "Q8_0", architecture="rwkv6")
    with pytest.raises(ts.ModelError, match="transformers could not read it") as caught:
        ts.load_model(str(path))
    assert "odd.gguf" in caught.value.asked


def test_the_shell_says_what_a_conversion_costs(
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["fetch", str(files["Q4_0"])]) == 0
    said = capsys.readouterr()
    assert "Q4_0 of" in said.out
    assert "of float32" in said.out
    assert "Converting" in said.err
    assert Path(said.out.strip().splitlines()[-1]) == obtain(files["Q4_0"]).folder


def test_the_real_file_is_its_own_safetensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """4-bit SmolLM2, converted by us and laid down by transformers' own `save_pretrained`."""
    monkeypatch.undo()
    saved = real_model_folder()
    ours = ts.load_model(obtain(real_gguf()))
    theirs = ts.load_model(saved)
    ids = torch.tensor([ours.encode(TEXT)])
    with torch.inference_mode():
        a, b = (lm.model(ids, use_cache=False).logits for lm in (ours, theirs))
    assert torch.equal(a, b)
    assert ours.encode("def f(x): # é 世界") == theirs.encode("def f(x): # é 世界")
    assert locate(saved).folder == saved
