"""Single values of an answer, checked: all of them come from outside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tokenscope_core.failures import MalformedError, quoted
from tokenscope_core.record.steps import FinishReason

# “Very unlikely”, in OpenAI's reference; servers put it in the place of minus infinity too.
BEYOND = -9999.0
# No vocabulary has so many tokens; what has no id of its own is numbered from here on.
FIRST_LOCAL_ID = 2**23
# Rounding may leave a certain token a little above probability 1.
_ROUNDING = 1e-3
_REPLACED = "\ufffd"
_SPELLED_BYTES = re.compile(r"(?:bytes:|byte: )((?:\\x[0-9a-fA-F]{2})+)")
_SPECIAL_NAME = re.compile(r"<[^<>\s]+>|\[[A-Z_]+\]")
_SPELLED_ID = re.compile(r"token_id:([0-9]{1,9})")

_FINISHED: dict[str, FinishReason] = {
    "stop": "stop", "tool_calls": "stop", "function_call": "stop", "stop_sequence": "stop",
    "word": "stop", "completed": "stop", "eos": "eos", "eos_token": "eos", "limit": "length",
    "length": "length", "max_tokens": "length", "max_output_tokens": "length",
    "content_filter": "filtered", "safety": "filtered", "recitation": "filtered",
    "blocklist": "filtered", "prohibited_content": "filtered", "spii": "filtered",
    "language": "filtered", "image_safety": "filtered", "abort": "cancelled",
    "cancelled": "cancelled", "unload": "cancelled", "load": "cancelled",
}  # fmt: skip


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, where it is an object; an empty one for null.

    Raises:
        MalformedError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MalformedError("an object was expected, and something else is there")
    return value


def listed(value: Any) -> list[Any]:
    """The value, where it is a list; an empty one for null.

    Raises:
        MalformedError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError("a list was expected, and something else is there")
    return value


def logprob_of(value: Any) -> float:
    """A log-probability in nats; NaN for null and for “beyond the likeliest”.

    Raises:
        MalformedError: it is no number, or above 0.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MalformedError("a log-probability is no number")
    if value > _ROUNDING:
        raise MalformedError(f"a log-probability is {quoted(value)}, above 0")
    if value == -math.inf:
        return -math.inf
    if math.isnan(value) or value <= BEYOND:
        return math.nan
    return min(float(value), 0.0)


def log_of(probability: Any) -> float:
    """The log-probability of a probability; NaN for null.

    Raises:
        MalformedError: it is no number, or not within 0 and 1.
    """
    if probability is None:
        return math.nan
    if isinstance(probability, bool) or not isinstance(probability, (int, float)):
        raise MalformedError("a probability is no number")
    if not 0.0 <= probability <= 1.0 + _ROUNDING:
        raise MalformedError(f"a probability is {quoted(probability)}")
    return min(math.log(probability), 0.0) if probability else -math.inf


def rank_of(value: Any) -> float:
    """A rank counted from 1; NaN for null.

    Raises:
        MalformedError: it is no whole number from 1 on.
    """
    if value is None:
        return math.nan
    if type(value) is not int or not 1 <= value <= FIRST_LOCAL_ID:
        raise MalformedError("a rank is no whole number from 1 on")
    return float(value)


def id_of(value: Any) -> int | None:
    """The id of a token; None for null.

    Raises:
        MalformedError: it is no id that a vocabulary could have.
    """
    if value is None:
        return None
    if type(value) is not int or not value >= 0:
        raise MalformedError("the id of a token is no whole number from 0 on")
    return value


def ids_of(value: Any) -> list[int]:
    """A list of ids; an empty one for null. Raises: as `id_of` and `listed`."""
    return [token_id for one in listed(value) if (token_id := id_of(one)) is not None]


def bytes_of(value: Any) -> bytes:
    """The bytes of a token, out of a list of whole numbers.

    Raises:
        MalformedError: it is none.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise MalformedError("the bytes of a token are no list of whole numbers")
    if not all(0 <= byte < 256 for byte in value):
        raise MalformedError("the bytes of a token are no bytes: they range from 0 to 255")
    return bytes(value)


def text_of(value: Any) -> str:
    """The value, where it is a text.

    Raises:
        MalformedError: it is none.
    """
    if not isinstance(value, str):
        raise MalformedError("a token is no text")
    return value


def spelled_by(text: Any, *, replaced_is_unknown: bool = True) -> bytes | None:
    """The bytes of a token given as a text; None where the text does not tell them: it is empty, or
    what is no whole character was replaced. Lone bytes may be spelled `bytes:\\xe2\\x80`.

    Raises:
        TypeError, UnicodeEncodeError: it is no text.
    """
    spelled = _SPELLED_BYTES.fullmatch(text_of(text))
    if spelled:
        return bytes.fromhex(spelled[1].replace("\\x", ""))
    if not text or (replaced_is_unknown and _REPLACED in text):
        return None
    return str(text).encode("utf-8")


def spelled_id(text: Any) -> int | None:
    """The id in `token_id:12`, by which vLLM writes tokens when it is asked to."""
    spelled = _SPELLED_ID.fullmatch(text) if isinstance(text, str) else None
    return int(spelled[1]) if spelled else None


def looks_special(name: Any) -> bool:
    """Whether a token is called as tokenizers call what is no text, where nothing else tells."""
    return isinstance(name, str) and _SPECIAL_NAME.fullmatch(name) is not None


def replaces_characters(text: Any) -> bool:
    """Whether U+FFFD in a token stands for what is no whole character, as far as the text of the
    answer tells: it has none."""
    return isinstance(text, str) and _REPLACED not in text


def finish_reason_of(*reasons: Any) -> FinishReason:
    """Why a run ended, by the first of an engine's own words that is known."""
    for reason in reasons:
        if isinstance(reason, str) and reason.lower() in _FINISHED:
            return _FINISHED[reason.lower()]
    return "unknown"


def model_of(*names: Any) -> str:
    """The first of the names that is one, as UTF-8 can hold it."""
    name = next((name for name in names if isinstance(name, str) and name), "unnamed model")
    return name[:200].encode("utf-8", "replace").decode()


def text_or_none(value: Any) -> str | None:
    """The value, where it is a text."""
    return value if isinstance(value, str) else None


def count_of(*values: Any) -> int | None:
    """The first of the values that is a whole number from 0 on."""
    return next((value for value in values if type(value) is int and value >= 0), None)


def joined(parts: Iterable[Any]) -> str:
    """Texts one after the other, without what is none."""
    return "".join(part for part in parts if isinstance(part, str))
