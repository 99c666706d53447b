"""How far a model's figures depend on the way a text is read: a value kept beside them.

In float32 a text has the same figures read whole, in pieces or token by token, but for the sixth
digit. In half precision, and with quantised weights, it has not: a branch that is computed from
scratch and one that reads on from its parent may then lie a quarter of a nat apart.
"""

from __future__ import annotations

from dataclasses import dataclass

# Half of the last digit that a screen shows of a log quantity.
_VISIBLE_NATS = 5e-4


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far apart the same text's log-probabilities were, in nats, read whole and in pieces.

    Of the 20 likeliest tokens at each position of the text that a model is tried on when it is
    loaded: the `mean` and the `most`.
    """

    mean: float
    most: float

    def __str__(self) -> str:
        return f"{self.mean:.2g} nats on average, {self.most:.2g} at most"

    @property
    def visible(self) -> bool:
        """Whether it reaches the digits that are shown."""
        return self.most >= _VISIBLE_NATS
