"""Getting a model ready without running anything on it: downloaded, loaded, tried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenscope_core.progress import Report

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """An `Analysis` of nothing, for `GenerationService.analyse`: all it takes is the model itself,
    with the checks, the progress and the Stop of any run.

    `tokens` is how many the model is meant to hold, about, which decides whether it fits.
    """

    tokens: int = 0

    def recipe(self) -> dict[str, Any]:
        """The same for every length."""
        return {"ready": True}

    def run(self, lm: LanguageModel, report: Report, cancelled: Callable[[], bool]) -> str:
        """The fingerprint of what was loaded."""
        report(1, 1)
        return lm.identity.fingerprint
