"""What a model's tokenizer files say it can be asked for, without importing transformers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.json_files import read_object
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.fill_in_the_middle import convention_of

_CLOCK = "strftime_now"
_SPECIAL = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@lru_cache(maxsize=64)
def has_chat_template(files: ModelFiles) -> bool:
    """Whether the model comes with a chat template, in either place its tokenizer may keep it."""
    if (files.tokenizer_folder / "chat_template.jinja").is_file():
        return True
    return bool(_object(files.tokenizer_folder / "tokenizer_config.json").get("chat_template"))


@lru_cache(maxsize=64)
def may_write_the_date(files: ModelFiles) -> bool:
    """Whether a chat template names the function that tells it the time; only filling it in says
    whether it is asked for in a conversation. Jinja has no other way to find a function."""
    return any(_CLOCK in text for text in chat_templates(files).values())


@lru_cache(maxsize=64)
def chat_templates(files: ModelFiles) -> Mapping[str, str]:
    """The texts of a model's chat templates by their names; the one that is used where none is
    named is called `default`."""
    folder = files.tokenizer_folder
    config = _object(folder / "tokenizer_config.json").get("chat_template")
    listed = [one for one in _values(config) if isinstance(one, dict)]
    found = {str(one.get("name")): one.get("template") for one in listed}
    if isinstance(config, str):
        found["default"] = config
    # Files of their own go first, as in transformers.
    found |= {path.stem: _text(path) for path in folder.glob("additional_chat_templates/*.jinja")}
    if (folder / "chat_template.jinja").is_file():
        found["default"] = _text(folder / "chat_template.jinja")
    return {name: text for name, text in found.items() if isinstance(text, str)}


@lru_cache(maxsize=64)
def special_names(files: ModelFiles) -> frozenset[str]:
    """What a chat template can call special tokens by, such as `bos_token`: every model's, and
    those of its own that its configuration names."""
    config = _object(files.tokenizer_folder / "tokenizer_config.json")
    named = {name for name in config if name.endswith("_token")}
    return frozenset(named | {f"{kind}_token" for kind in _SPECIAL})


@lru_cache(maxsize=64)
def can_fill_in_the_middle(files: ModelFiles) -> bool | None:
    """Whether its tokenizer has the marks for a gap; None where only transformers could tell,
    because there is no tokenizer.json."""
    tokenizer = _object(files.tokenizer_folder / "tokenizer.json")
    config = _object(files.tokenizer_folder / "tokenizer_config.json")
    if not tokenizer:
        return None
    added = [*_values(tokenizer.get("added_tokens")), *_values(config.get("added_tokens_decoder"))]
    names = set(_texts(entry.get("content") for entry in added if isinstance(entry, dict)))
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        names |= vocabulary.keys()
    else:  # a unigram model lists pairs of a token and its score
        pairs = (pair for pair in _values(vocabulary) if isinstance(pair, list) and pair)
        names |= set(_texts(pair[0] for pair in pairs))
    return convention_of(names) is not None


def _texts(values: Iterable[Any]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def _values(value: Any) -> list[Any]:
    """What a list or an object holds; nothing for anything else."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(path: Path) -> str:
    """What stands in a file; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _object(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is no such file or it holds something else."""
    try:
        return read_object(path)
    except (OSError, ValueError):
        return {}
