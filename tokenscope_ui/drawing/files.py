"""Files on offer: buttons that make one when it is asked for, never before.

Streamlit makes a file in a thread without a page: what is needed is gathered before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from tokenscope_core import Trace

_UNSAFE = re.compile(r"[^A-Za-z0-9._]+")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class File:
    """A file on offer: what the button says and explains, its name and type, and how it is made."""

    label: str
    help: str
    name: str
    mime: str
    make: Callable[[], bytes]


def as_json(values: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Values as JSON to be read, in UTF-8."""
    return json.dumps(values, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def stem(*parts: str) -> str:
    """The beginning of a file's name, in characters that every system takes."""
    return "_".join(_UNSAFE.sub("-", part).strip("-._")[:_LONGEST] or "x" for part in parts)


def of_trace(trace: Trace) -> str:
    """How the files of a trace begin."""
    return stem(trace.model.name, trace.key[:8])


def buttons(files: Iterable[File], key: str) -> None:
    """A row of buttons, one a file; `key` names the row within the page."""
    with st.container(horizontal=True, key=f"downloads {key}"):
        for file in files:
            st.download_button(
                file.label, data=file.make, file_name=file.name, mime=file.mime, help=file.help,
                key=f"download {key} {file.label}", on_click="ignore",
            )  # fmt: skip
