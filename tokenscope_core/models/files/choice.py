"""Which model is to run, and how: the value that workers, queues and stored traces go by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenscope_core.errors import ModelError
from tokenscope_core.models.files.names import hub_id_of

HALF_PRECISIONS = ("bfloat16", "float16")
DTYPES = ("float32", *HALF_PRECISIONS)
BYTES_PER_NUMBER = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as a person names it, the precision it runs in and the device it runs on.

    `name` is the shipped model's, a folder, the short name of a listed one, or a hub id; the
    address of a model's page on the hub becomes its id. `dtype` is one of `DTYPES`, or None for
    that of the checkpoint; `device` is one that `machine.devices` lists, or None for its first.

    Raises:
        ModelError: no model runs in that dtype.
    """

    name: str
    dtype: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", hub_id_of(self.name))
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ModelError(
                asked=f"The model “{self.name}” was to run in “{self.dtype}”.",
                found=f"Models run in {', '.join(DTYPES[:-1])} or {DTYPES[-1]}.",
                action="Choose one of these, or leave it as stored.",
            )

    @classmethod
    def of(cls, model: str | ModelChoice) -> ModelChoice:
        """The choice itself, or a name as it is stored, on this machine's first device."""
        return model if isinstance(model, ModelChoice) else cls(model)

    @property
    def label(self) -> str:
        """The name as a sentence says it: of a path only the last part."""
        return Path(self.name).name if Path(self.name).is_absolute() else self.name

    def __str__(self) -> str:
        precision = f" in {self.dtype}" if self.dtype else ""
        return self.label + precision + (f" on {self.device}" if self.device else "")

    def to_json(self) -> dict[str, str]:
        """The choice as plain JSON values, without what is left at its default."""
        values = {"name": self.name, "dtype": self.dtype, "device": self.device}
        return {key: value for key, value in values.items() if value is not None}
