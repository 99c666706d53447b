"""Reading weights into memory of the program's own.

safetensors maps a file into memory by default: the tensors of a loaded model are then the file
itself, and whoever writes into the file changes a model that runs under the identity it had before,
or ends the process where the file becomes shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import modeling_utils


@contextmanager
def reading_weights() -> Iterator[None]:
    """Let transformers read weights instead of mapping them. For one thread at a time."""
    mapped = modeling_utils.safe_open

    def read(*args: Any, **settings: Any) -> Any:
        return mapped(*args, **{**settings, "backend": "pread"})

    # There is a choice for it in safetensors, but none in transformers that does not hold a file's
    # bytes twice.
    modeling_utils.safe_open = read
    try:
        yield
    finally:
        modeling_utils.safe_open = mapped
