"""Values that a notebook shows as HTML, by a function that somebody above them registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class ShownAsHtml:
    """A base of values that have an HTML form. It holds nothing and imports nothing."""

    __slots__ = ()

    _render_html: ClassVar[Callable[[Any], str] | None] = None

    def _repr_html_(self) -> str | None:
        """What IPython shows; None, which makes it show `repr`, where nobody has registered."""
        render = type(self)._render_html
        return None if render is None else render(self)

    @classmethod
    def shown_by(cls, render: Callable[[Any], str]) -> None:
        """Register what makes HTML of the values of this class."""
        cls._render_html = staticmethod(render)
