"""Tiny models that meet with an accident in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tiny_models

from tokenscope_core.models.language_model import describe


class Broken:
    """A tiny model whose body meets with an accident the n-th time that it is run."""

    def __init__(self, accident: Callable[[Any], Any], *, after: int) -> None:
        self.lm = describe(
            tiny_models.model("llama"), tiny_models.tokenizer(), tiny_models.files("broken")
        )
        self.passes = 0
        self._after = after
        self._accident = accident
        self._forward = self.lm.model.base_model.forward
        self.lm.model.base_model.forward = self

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        self.passes += 1
        output = self._forward(*arguments, **settings)
        return self._accident(output) if self.passes > self._after else output


def raising(error: Exception) -> Callable[[Any], Any]:
    def accident(_output: Any) -> Any:
        raise error

    return accident


def no_numbers(output: Any) -> Any:
    output.last_hidden_state[:] = float("nan")
    return output
