"""Parts and figures of a program as people read them."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from tokenscope_core.display.formatting import NOT_AVAILABLE, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.syntax.counted import Counted
from tokenscope_core.syntax.folding.aggregation import THIN, Level
from tokenscope_core.syntax.folding.intervals import LEAST_UNITS
from tokenscope_ui.syntax_view.reading import SyntaxLook

LEVELS: dict[Level, str] = {
    "category": "category",
    "leaf": "leaf (node kind)",
    "statement": "statement or expression kind",
    "scope": "scope",
    "line": "line",
    "function": "function",
    "language": "language",
}
_NOWHERE = {
    "scope": "(module level)",
    "function": "(outside of functions)",
    "language": "(no known language)",
}
_CATEGORY_WORDS = {"null": "None, null", "error": "syntax error"}
THIN_WORDS = f"fewer than {THIN} tokens"
LEAST_STATEMENTS = LEAST_UNITS["statement"]
FOR_THIS_TEXT = (
    "An interval for this text: so far would the mean move, were its statements drawn anew from "
    "what they are like. Other texts differ by more. None where fewer than "
    f"{LEAST_STATEMENTS} statements have such tokens: it would not hold what it says."
)
COUNTED: dict[Counted, str] = {
    "generated": "generated tokens",
    "prompt": "tokens of the prompt",
    "all": "all tokens",
}


def part_text(label: Hashable, look: SyntaxLook) -> str:
    """What a part of the level in view is called."""
    level = look.level if look.kind == "part" else look.kind
    return label_text(label, level)


def label_text(label: Hashable, level: str) -> str:
    """What a part of a level is called."""
    text = _CATEGORY_WORDS.get(str(label), str(label)) if level == "category" else str(label)
    return one_line(text) if text else _NOWHERE.get(level, "(none)")


def one_line(text: str | bytes) -> str:
    """Code on one line, nothing hidden in it; spaces stay spaces."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return on_one_line(data).replace("·", " ")


def mean_text(metric: str, value: float, unit: LogUnit) -> str:
    """A mean in stored units, as a screen shows it."""
    shown = float(to_screen(metric, np.array([value]), unit)[0])
    if not math.isnan(shown) and BY_NAME[metric].unit == "rank":
        return f"{shown:,.1f}"
    return metric_text(metric, shown, unit)


def interval_words(metric: str, unit: LogUnit, low: float, high: float, note: str) -> str:
    """An interval, given in stored units with its `ci_note`; without one, why there is none."""
    if math.isnan(low):
        return note or NOT_AVAILABLE
    return f"{mean_text(metric, low, unit)} to {mean_text(metric, high, unit)}"


def number_text(tokens: float) -> str:
    """A number of tokens, some of which count in parts."""
    return f"{tokens:,.0f}" if abs(tokens - round(tokens)) < 0.05 else f"{tokens:,.1f}"
