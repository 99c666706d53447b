"""The model that can read a trace again, if it is on this machine, and the shape of it."""

from __future__ import annotations

from dataclasses import dataclass

from tokenscope_core import ModelChoice, TokenScopeError, Trace
from tokenscope_core.attention.capturing.estimate import Heads
from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.facts import ModelFacts, facts_of
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.model_files import ModelFiles, find
from tokenscope_ui.runs import runs
from tokenscope_ui.server.server import service


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """Who can read a trace again.

    `layers` are those that attend, `heads` how many a layer has, as the configuration has it; none
    where it does not say. `loaded` says whether the weights are in memory.
    """

    choice: ModelChoice
    facts: ModelFacts
    loaded: bool

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that attend."""
        heads = Heads.of(self.facts)
        return () if heads is None else heads.layers

    @property
    def heads(self) -> int:
        """How many heads a layer has."""
        return self.facts.heads or 0


def reader_of(trace: Trace) -> AvailableModel:
    """The model that a trace came from, on this machine.

    Raises:
        TokenScopeError: it is not here, or its files have changed since.
    """
    choice = runs.model_of(trace)
    files = find(choice.name)
    name = trace.model.name
    asked = f"The text was to be read again by “{name}”, for its attention."
    if files is None:
        raise TokenScopeError(
            asked=asked,
            found="That model is not on this machine.",
            action="Add its folder to TOKENSCOPE_MODELS, or generate the text with a model that is "
            "here.",
        )
    # One that was never read is compared once it is loaded.
    if files.fingerprint_in(choice.dtype) not in (None, trace.model.fingerprint):
        raise TokenScopeError(
            asked=asked,
            found="The model of that name here is another version of it, or runs in another "
            "precision: its attention would not be that of this trace.",
            action="Restore the files that the trace came from, or score the text with the model "
            "that is here, on the page Decode.",
        )
    return AvailableModel(choice, _facts(files), service().loaded_model(choice) is not None)


@lru_cache(maxsize=32)
def _facts(files: ModelFiles) -> ModelFacts:
    return facts_of(files)


def loading_text(reader: AvailableModel) -> str:
    """What it takes to have the model in memory; empty where it is there."""
    if reader.loaded:
        return ""
    weights = reader.facts.weight_bytes
    return f"The model is not in memory: its {size_text(weights)} of weights are loaded first."
