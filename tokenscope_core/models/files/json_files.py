"""JSON that came with a model: read within bounds, whatever is wrong with it said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenscope_core.failures import MalformedError, reason_of

_READ_BY_TRANSFORMERS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json",
)  # fmt: skip


def read_object(path: Path, *, limit: int | None = None) -> dict[str, Any]:
    """The JSON object in a file of at most `limit` bytes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is wrong with it, as the end of a sentence that begins with its name.
    """
    try:
        if limit is not None and path.stat().st_size > limit:
            raise MalformedError(f"has more than the {limit:,} bytes that such a file may have")
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MalformedError(f"cannot be read ({error.strerror})") from error
    return parse_object(data)


def damage_of(folder: Path) -> str | None:
    """Which of a model's JSON files that transformers reads is damaged and how, as a clause; None
    where all are JSON objects, or not there."""
    for name in _READ_BY_TRANSFORMERS:
        try:
            read_object(folder / name)
        except FileNotFoundError:
            continue
        except ValueError as error:
            return f"{name} {reason_of(error)}"
    return None


def parse_value(text: str) -> bool | int | float | str:
    """A number, true or false as JSON writes them; any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    plain = isinstance(value, bool | int | float) and value == value and abs(value) < float("inf")
    return value if plain else text


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object that bytes spell. Raises: as `read_object`."""
    try:
        value = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"cannot be read (byte {error.start:,} is no text in UTF-8)"
        ) from error
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"cannot be read (no JSON at line {error.lineno:,}, column {error.colno:,})"
        ) from error
    except RecursionError as error:
        raise MalformedError("cannot be read (it is nested too deep)") from error
    except ValueError as error:  # Python reads whole numbers of so many digits at most
        raise MalformedError("cannot be read (a number in it has too many digits)") from error
    if not isinstance(value, dict):
        raise MalformedError("is not an object")
    return value
