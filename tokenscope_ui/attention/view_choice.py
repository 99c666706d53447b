"""What a person chose to see of a trace's attention, and how the address spells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from tokenscope_core.attention.capturing.selection import Weighting
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_ui.components.address import number

View = Literal["token", "received", "matrix", "heads", "flow", "compare"]
Question = Literal["predicts", "at"]
"""Which row stands for a token: that of the token before it, whose output predicted it, or that of
the token itself, once it had been read."""
Direction = Literal["from", "to"]
"""What the token attends to, or what attends to it."""
WeightScale = Literal["relative", "linear", "log"]
Fold = Literal["mean", "max"]
Head = int | Fold
Parts = Literal["category", "statement", "unit", "function"]
FlowTint = Literal["ratio", "share"]
CropTo = Literal["all", "prompt", "generated", "line", "statement", "function", "lines"]
CropKeys = Literal["same", "before"]
ReceivedTint = Literal["mass", "ratio"]
Columns = Literal["layer", "head"]
Together = Literal["token", "line", "statement", "function", "picked"]
"""Which tokens are looked at together: the selected one, what is around it, or those picked."""

ROLLOUT = "rollout"
Layer = int | Literal["rollout"]


@dataclass(frozen=True, slots=True)
class AttentionLook:
    """One state of the page.

    - `layer`, `scale`: None until somebody chose.
    - `alone`, `queries`: what little is captured where all of a layer is too much: the head in view
      alone, the rows from a position up to another.
    - `mask`: whether the attention sink is set apart; None until somebody chose.
    - `together`: which tokens are looked at; `picked`: their positions where it is "picked".
    - `key`: position of the column that is selected in the matrix, or of the pair's second token.
    - `crop`: what the matrix is cut to, of the selected token where that names a piece of code;
      `lines`: the first and the last line where it is "lines"; `keys`: whether its columns are
      those of the same part or of all before it.
    - `whole`: the flow of all layers and heads of the model.
    - `received`: what tokens are tinted by in the view of that name; `received_rows`: whose
      attention that is; `one_head`: in the layer and head in view alone; `columns`: what stands
      beside each other where it is seen who attends to a token.
    - `layer_b`, `head_b`, `branch_b`: what a difference is taken with; None is the same as in A.
    """

    view: View = "token"
    layer: Layer | None = None
    head: Head = "mean"
    weighting: Weighting = "weights"
    alone: bool = False
    queries: tuple[int, int] | None = None
    mask: bool | None = None
    scale: WeightScale | None = None
    question: Question = "predicts"
    direction: Direction = "from"
    together: Together = "token"
    picked: tuple[int, ...] = ()
    key: int | None = None
    crop: CropTo = "all"
    lines: tuple[int, int] | None = None
    keys: CropKeys = "same"
    statistic: str | None = None
    parts: Parts = "category"
    tint: FlowTint = "ratio"
    whole: bool = False
    received: ReceivedTint = "mass"
    received_rows: Rows = "all"
    one_head: bool = False
    columns: Columns = "layer"
    layer_b: Layer | None = None
    head_b: Head | None = None
    branch_b: str | None = None

    @property
    def shown_scale(self) -> WeightScale:
        """The scale in force: a row is read from its largest weight, a matrix from its structure,
        which a sink would outshine."""
        return self.scale or ("relative" if self.view == "token" else "log")

    @property
    def masks(self) -> bool:
        """Whether the sink is set apart: until somebody chose wherever attention is painted, which
        it would outshine; not where that takes another pass over all heads."""
        if self.mask is not None:
            return self.mask
        return self.view != "heads" and not (self.view == "flow" and self.whole)


_CHOICES: dict[str, tuple[Any, ...]] = {
    "view": get_args(View),
    "weighting": get_args(Weighting),
    "scale": get_args(WeightScale),
    "question": get_args(Question),
    "direction": get_args(Direction),
    "crop": get_args(CropTo),
    "parts": get_args(Parts),
    "keys": get_args(CropKeys),
    "together": get_args(Together),
    "received": get_args(ReceivedTint),
    "received_rows": get_args(Rows),
    "columns": get_args(Columns),
    "tint": get_args(FlowTint),
}
_DEFAULT = AttentionLook()
_UNDECIDED = "auto"
NAMES = tuple(field.name for field in fields(AttentionLook))


def to_address(look: AttentionLook) -> dict[str, str]:
    """The parameters of an address that spell a look: the view, the mask, and what is not as by
    default."""
    spelled: dict[str, str] = {"view": look.view}
    # Always: in a link of earlier releases none means that the sink is shown.
    spelled["mask"] = _UNDECIDED if look.mask is None else str(int(look.mask))
    for name in NAMES:
        value = getattr(look, name)
        if name != "mask" and value != getattr(_DEFAULT, name):
            spelled[name] = _spelled(value)
    return spelled


def from_address(address: Mapping[str, str]) -> AttentionLook:
    """The look that parameters spell; what means nothing is as by default."""
    read: dict[str, Any] = {"mask": False} if "view" in address else {}
    for name in NAMES:
        value = _read(name, address[name]) if name in address else None
        if value is not None or (name == "mask" and name in address):
            read[name] = value
    return AttentionLook(**read)


def _spelled(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return "1" if value is True else str(value)


def _read(name: str, text: str) -> Any:
    if name in _CHOICES:
        return text if text in _CHOICES[name] else None
    match name:
        case "mask":
            return None if text == _UNDECIDED else text == "1"
        case "whole" | "alone" | "one_head":
            return text == "1"
        case "key":
            return number(text)
        case "layer" | "layer_b":
            return ROLLOUT if text == ROLLOUT else number(text)
        case "head" | "head_b":
            return text if text in get_args(Fold) else number(text)
        case "picked":
            positions = [number(part) for part in text.split("-")]
            return tuple(position for position in positions if position is not None)
        case "lines" | "queries":
            first, last = map(number, text.partition("-")[::2])
            return None if first is None or last is None or first > last else (first, last)
        case _:
            return text
