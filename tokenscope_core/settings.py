"""The limits of one server, as its operator configured them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from tokenscope_core.errors import RequestError


@dataclass(frozen=True)
class StorageBounds:
    """How much of what people made a store accepts: bytes in all, bytes and records for each
    visitor (sessions, short links and imports are records); None for no bound."""

    bytes_in_all: int | None = None
    bytes_per_visitor: int | None = None
    records_per_visitor: int | None = None


@dataclass(frozen=True)
class Limits:
    """The limits of one server.

    `waiting` bounds the runs that wait in all, `waiting_per_model` those for one model, and
    `jobs_per_visitor` those that one browser session has waiting or running. `grace_s` is how long
    a run outlives its last lost subscriber. With `memory_check` a model that does not fit into the
    memory there is, is refused before it is loaded. `prefix_cache_mb` is how much memory each model
    may hold of texts it has read, so that branches need not read them again; `trace_memory_mb`
    how much the traces read lately may take, for all visitors together; `capture_mb` how much one
    capture of attention may. `converted_mb` is how much disk the models may take that were
    converted to safetensors.

    `kept_mb` bounds what people made and the store never evicts, `kept_per_visitor_mb` and
    `kept_per_visitor` (records) what of it counts for one visitor.
    """

    waiting: int = 64
    waiting_per_model: int = 16
    jobs_per_visitor: int = 8
    loaded_models: int = 2
    grace_s: float = 60.0
    memory_check: bool = True
    prefix_cache_mb: int = 256
    trace_memory_mb: int = 64
    capture_mb: int = 1024
    converted_mb: int = 32_000
    kept_mb: int = 4096
    kept_per_visitor_mb: int = 256
    kept_per_visitor: int = 10_000

    @property
    def storage_bounds(self) -> StorageBounds:
        """The bounds on what people made, in the decimal megabytes that screens show."""
        return StorageBounds(
            bytes_in_all=self.kept_mb * 10**6,
            bytes_per_visitor=self.kept_per_visitor_mb * 10**6,
            records_per_visitor=self.kept_per_visitor,
        )

    @classmethod
    def from_environment(cls) -> Limits:
        """The limits an operator set as TOKENSCOPE_WAITING_PER_MODEL and so on, else the defaults.

        Raises:
            RequestError: a value is not a positive number, or neither on nor off.
        """
        return cls(
            waiting=int(_positive("TOKENSCOPE_WAITING", cls.waiting)),
            jobs_per_visitor=int(_positive("TOKENSCOPE_JOBS_PER_VISITOR", cls.jobs_per_visitor)),
            waiting_per_model=int(_positive("TOKENSCOPE_WAITING_PER_MODEL", cls.waiting_per_model)),
            loaded_models=int(_positive("TOKENSCOPE_LOADED_MODELS", cls.loaded_models)),
            grace_s=_positive("TOKENSCOPE_GRACE_S", cls.grace_s),
            memory_check=choice_of("TOKENSCOPE_MEMORY_CHECK", ("on", "off")) == "on",
            prefix_cache_mb=int(_positive("TOKENSCOPE_PREFIX_CACHE_MB", cls.prefix_cache_mb)),
            trace_memory_mb=int(_positive("TOKENSCOPE_TRACE_MEMORY_MB", cls.trace_memory_mb)),
            capture_mb=int(_positive("TOKENSCOPE_CAPTURE_MB", cls.capture_mb)),
            converted_mb=int(_positive("TOKENSCOPE_CONVERTED_MB", cls.converted_mb)),
            kept_mb=int(_positive("TOKENSCOPE_KEPT_MB", cls.kept_mb)),
            kept_per_visitor_mb=int(
                _positive("TOKENSCOPE_KEPT_PER_VISITOR_MB", cls.kept_per_visitor_mb)
            ),
            kept_per_visitor=int(_positive("TOKENSCOPE_KEPT_PER_VISITOR", cls.kept_per_visitor)),
        )


def _positive(variable: str, default: float) -> float:
    text = os.environ.get(variable, str(default))
    try:
        value = type(default)(text)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        raise RequestError(
            asked=f"{variable} was set to “{text}”.",
            found=f"It must be a positive {'whole ' if isinstance(default, int) else ''}number.",
            action=f"Set it to one, or unset it for {default}.",
        )
    return value


def choice_of(variable: str, choices: tuple[str, ...]) -> str:
    """What an operator chose by an environment variable, else the first choice.

    Raises:
        RequestError: it is set to something else.
    """
    text = os.environ.get(variable, choices[0])
    if text not in choices:
        raise RequestError(
            asked=f"{variable} was set to “{text}”.",
            found=f"It must be {' or '.join(choices)}.",
            action=f"Set it to one of these, or unset it for {choices[0]}.",
        )
    return text
