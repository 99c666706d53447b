"""What to keep of a model's attention: all of it at once would fill the memory of any machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tokenscope_core.errors import RequestError

Fold = Literal["mean", "max"]
Weighting = Literal["weights", "value norms"]
"""What a weight says.

- `weights`: alpha, the softmax over the keys.
- `value norms`: ||alpha f(x)||, the length of what the key really adds to the head's output, as a
  share of the row (Kobayashi et al. 2020, arXiv:2004.10102).
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Layers, heads and query rows of one text.

    - `layers`, `heads`: indices, ascending; None for all there are. Layers without attention
      (recurrent, convolutional) have none to give.
    - `queries`: first position and the one past the last; None for all of the text.
    - `fold`: mean or maximum over the chosen heads, layer by layer; None keeps each head.
    - `weighting`: what a weight says.
    - `top`: keep only so many keys of each row, the largest; 0 keeps all.

    Raises:
        RequestError: an index is negative, repeated or out of order, or a range is empty.
    """

    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    queries: tuple[int, int] | None = None
    fold: Fold | None = None
    weighting: Weighting = "weights"
    top: int = 0

    def __post_init__(self) -> None:
        for name, chosen in (("layers", self.layers), ("heads", self.heads)):
            if chosen is not None and (
                not chosen or chosen[0] < 0 or list(chosen) != sorted(set(chosen))
            ):
                raise RequestError(
                    asked=f"Attention of the {name} {list(chosen)} was asked for.",
                    found="They are to be different indices from 0 on, in ascending order.",
                    action="Name each once, or leave them out for all.",
                )
        if self.queries is not None and not 0 <= self.queries[0] < self.queries[1]:
            raise RequestError(
                asked=f"Attention of the positions {self.queries} was asked for.",
                found="That is no range of positions: first, and one past the last.",
                action="Choose a range with at least one token, or leave it out for all.",
            )
        if self.top < 0:
            raise RequestError(
                asked=f"The {self.top} largest weights of each row were asked for.",
                found="That is less than none.",
                action="Ask for 1 or more, or for 0 to keep all.",
            )

    def recipe(self) -> dict[str, Any]:
        """What names it, as plain JSON values."""
        return {
            "layers": self.layers and list(self.layers),
            "heads": self.heads and list(self.heads),
            "queries": self.queries and list(self.queries),
            "fold": self.fold,
            "weighting": self.weighting,
            "top": self.top,
        }
