"""What can be said of a model's prompts before it is loaded."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models
from transformers import AddedToken

from tokenscope_core import CapabilityError, Message, Request, generate, load_model
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.files.names import SHIPPED_FOLDER
from tokenscope_core.models.files.tokenizer_files import can_fill_in_the_middle, has_chat_template
from tokenscope_core.prompts.preview import Passage, preview

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that can chat and fill a gap; its marks are no special tokens."""
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    tokenizer.chat_template = TEMPLATE
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "request_",
    [
        Request("é = 1\r\n", max_new_tokens=0),
        Request("a", suffix="<|fim_middle|>", max_new_tokens=0),
        Request("ok", messages=(Message("user", "<|im_end|> 👋"),), max_new_tokens=0),
    ],
    ids=["text", "gap", "conversation"],
)
def test_a_preview_is_what_a_run_reads(folder: Path, request_: Request) -> None:
    seen = preview(locate(folder), request_)
    trace = generate(load_model(folder), request_)
    assert seen.tokens == len(trace)
    assert b"".join(p.text for p in seen.passages if not p.special) == trace.text_bytes
    assert sum(p.special for p in seen.passages) == trace.special.sum()


def test_special_tokens_stand_out_from_the_text_around_them(folder: Path) -> None:
    seen = preview(locate(folder), Request("b", messages=(Message("user", "a"),)))
    start, end = Passage(b"<|im_start|>", True), Passage(b"<|im_end|>", True)
    assert seen.passages == (start, Passage(b"a"), end, Passage(b"b"))


def test_a_preview_refuses_as_the_run_would() -> None:
    with pytest.raises(CapabilityError, match="no chat template"):
        preview(locate(SHIPPED_FOLDER), Request("", messages=(Message("user", "a"),)))


def test_a_preview_loads_no_weights(folder: Path) -> None:
    files = locate(folder)
    (folder / "model.safetensors").unlink()
    assert preview(files, Request("a")).tokens == 2


def test_the_files_say_whether_a_model_can_chat_or_fill_a_gap(folder: Path) -> None:
    assert has_chat_template(locate(folder))
    assert can_fill_in_the_middle(locate(folder))
    assert not has_chat_template(locate(SHIPPED_FOLDER))
    assert can_fill_in_the_middle(locate(SHIPPED_FOLDER))


def test_a_template_in_the_tokenizers_configuration_counts(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert not has_chat_template(locate(folder))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = TEMPLATE
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert has_chat_template(locate(folder))


def test_another_template_makes_another_model(folder: Path) -> None:
    before = locate(folder).fingerprint_in()
    (folder / "chat_template.jinja").write_text("other")
    assert locate(folder).fingerprint_in() != before


def test_files_that_do_not_say_are_unknown(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    assert can_fill_in_the_middle(locate(folder)) is None


def test_saying_so_needs_no_transformers(folder: Path) -> None:
    script = f"""
import sys
from tokenscope_core.prompts import preview as prompt_preview
from tokenscope_core.models.files import tokenizer_files
from tokenscope_core.models.files.model_files import locate
files = locate({str(folder)!r})
assert tokenizer_files.has_chat_template(files) and tokenizer_files.can_fill_in_the_middle(files)
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2]
    )
